//! Clients that behave badly.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::served::Served;

/// Sends bytes and reads the answer to its end.
fn answer_to(served: &Served, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(served.address).unwrap();
    // The server may answer and close the connection before it has read everything.
    let _ = stream.write_all(request).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /api/2.0/mlflow/{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn client_that_closed_its_side_is_answered() {
    let served = Served::new();
    let answer = answer_to(&served, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[test]
fn body_that_is_announced_as_too_large_is_not_read() {
    let served = Served::new();
    let head = "POST /api/2.0/mlflow/experiments/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 1000000000000\r\n\r\n";
    let answer = answer_to(&served, head.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("67108864 bytes"), "{answer}");
}

#[test]
fn nonsense_is_refused() {
    let served = Served::new();
    let headers = "X-A: a\r\n".repeat(150);
    let head = format!("GET /health HTTP/1.1\r\n{headers}\r\n");
    assert!(answer_to(&served, head.as_bytes()).starts_with("HTTP/1.1 431"));
    assert!(answer_to(&served, b"\x16\x03\x01\x02\x00\x01").starts_with("HTTP/1.1 400"));
    let deep = "[".repeat(200_000);
    let keys: Vec<String> = (0..200_000).map(|number| format!("\"k{number}\":1,")).collect();
    let keys = keys.concat();
    for body in [
        deep.as_bytes(),
        format!("{{{keys}\"name\":\"\"}}").as_bytes(),
        b"{\"name\": \"\xff\"}",
        b"[]",
        b"\"\\\"x\\\"\"",
        b"",
    ] {
        let answer = answer_to(&served, &post("experiments/create", body));
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains("INVALID_PARAMETER_VALUE"), "{answer}");
    }
}

#[test]
fn idle_and_slow_clients_do_not_hinder_others() {
    let served = Served::new();
    let mut idle: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(served.address).unwrap()).collect();
    for slow in &mut idle[..50] {
        slow.write_all(b"POST /api/2.0/mlflow/runs/create HT").unwrap();
    }
    assert_eq!(served.get("/health").status(), 200);
    assert_eq!(served.run().len(), 32);
}
