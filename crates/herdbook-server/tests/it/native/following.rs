//! Events as they are appended.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use herdbook_domain::Stage;
use serde_json::Value;

use super::server::{MODEL, Server};

/// A stream of server-sent events.
struct Follower(BufReader<TcpStream>);

impl Follower {
    fn new(server: &Server, query: &str, header: &str) -> Self {
        let mut follower = Self::asked(server, query, header);
        assert_eq!(follower.line(), "HTTP/1.1 200 OK");
        follower
    }

    fn is_accepted(server: &Server) -> bool {
        Self::asked(server, "", "").line() == "HTTP/1.1 200 OK"
    }

    fn asked(server: &Server, query: &str, header: &str) -> Self {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let request = format!(
            "GET /api/herdbook/v1/events{query} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        Self(BufReader::new(stream))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The value of the next line of a field.
    fn next(&mut self, field: &str) -> String {
        loop {
            if let Some(value) = self.line().strip_prefix(field) {
                return value.to_owned();
            }
        }
    }

    /// Number, kind and content of the next event.
    fn event(&mut self) -> (i64, String, Value) {
        let id = self.next("id: ").parse().unwrap();
        let kind = self.next("event: ");
        (id, kind, serde_json::from_str(&self.next("data: ")).unwrap())
    }
}

#[test]
fn client_sees_all_events_and_goes_on_where_it_was() {
    let server = Server::with_champion();
    let last = server.read("/history?limit=1")["events"][0]["id"].as_i64().unwrap();
    let mut all = Follower::new(&server, "?since=0", "");
    let ids: Vec<i64> = (0..last).map(|_| all.event().0).collect();
    assert_eq!(ids, (1..=last).collect::<Vec<_>>());
    drop(all);
    server.promote(2, Stage::Champion);
    // The header counts, not the address, which a browser asks for again as it was.
    let mut again = Follower::new(&server, "?since=0", &format!("Last-Event-ID: {last}\r\n"));
    let (id, kind, event) = again.event();
    assert_eq!((id, kind.as_str()), (last + 1, "stage_changed"));
    assert_eq!((&event["version"], &event["to"]), (&1.into(), &"archived".into()));
    assert_eq!(again.event().0, last + 2);
    server.promote(2, Stage::Archived);
    assert_eq!(again.event().0, last + 3);
}

#[test]
fn client_that_follows_from_now_hears_a_heartbeat_and_the_next_event() {
    let server = Server::with_champion();
    let mut follower = Follower::new(&server, &format!("?name={MODEL}&kind=stage_changed"), "");
    assert_eq!(follower.next(": "), "the connection is alive");
    server.train(None, &[]);
    server.promote(3, Stage::Beta);
    assert_eq!(follower.event().2["version"], 3);
}

#[test]
fn client_ahead_of_the_history_is_told() {
    let server = Server::with_champion();
    let (status, error) = server.get("/events?since=999999");
    assert_eq!((status, &error["error"]["code"]), (409, &"conflict".into()));
    assert_eq!(server.get("/events?since=-1").0, 400);
    assert_eq!(server.get("/events?since=x").0, 400);
}

#[test]
fn number_of_clients_that_follow_is_limited_and_a_place_becomes_free() {
    let server = Server::new();
    let mut followers: Vec<Follower> = (0..256).map(|_| Follower::new(&server, "", "")).collect();
    let (status, error) = server.get("/events");
    assert_eq!((status, &error["error"]["code"]), (503, &"store_busy".into()));
    drop(followers.pop());
    // The server notices that a client is gone when it looks for events again.
    while !Follower::is_accepted(&server) {
        std::thread::yield_now();
    }
}
