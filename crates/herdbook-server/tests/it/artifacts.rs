//! Files go up and down through the server.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::json;
use ureq::Body;
use ureq::http::Response;

use crate::served::Served;

const PROXY: &str = "/api/2.0/mlflow-artifacts/artifacts";

impl Served {
    fn put(&self, path: &str, content: &[u8]) -> u16 {
        let url = self.url(&format!("{PROXY}/{path}"));
        self.agent.put(url).send(content).unwrap().status().as_u16()
    }

    fn part(&self, path: &str, range: &str) -> (u16, String, Vec<u8>) {
        let url = self.url(&format!("{PROXY}/{path}"));
        let mut answer = self.agent.get(url).header("Range", range).call().unwrap();
        let range = header(&answer, "content-range");
        (answer.status().as_u16(), range, answer.body_mut().read_to_vec().unwrap())
    }

    fn artifacts(&self) -> std::path::PathBuf {
        self.folder.path().join("mlartifacts")
    }
}

fn header(answer: &Response<Body>, name: &str) -> String {
    answer.headers().get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

/// The names of all files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found.sort();
    found
}

#[test]
fn file_comes_back_as_it_was_stored_with_headers_that_keep_browsers_from_running_it() {
    let served = Served::new();
    // More than one block, and no multiple of it.
    let content: Vec<u8> = (0..1_500_001_u32).map(|idx| (idx % 251) as u8).collect();
    assert_eq!(served.put("0/run/artifacts/d/page%20%C3%A4.html", &content), 200);
    let mut answer = served.get(&format!("{PROXY}/0/run/artifacts/d/page%20%C3%A4.html"));
    assert_eq!(header(&answer, "content-type"), "text/html");
    assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
    assert_eq!(
        header(&answer, "content-disposition"),
        "attachment; filename=\"page a.html\"; filename*=UTF-8''page%20%C3%A4.html"
    );
    assert_eq!(header(&answer, "content-length"), "1500001");
    assert!(answer.body_mut().read_to_vec().unwrap() == content);
    assert_eq!(served.put("0/run/artifacts/empty", b""), 200);
    let (status, listed) = list(&served, "0/run/artifacts");
    assert_eq!(status, 200);
    assert_eq!(
        listed,
        json!({"files": [{"path": "d", "is_dir": true}, {"path": "empty", "is_dir": false}]})
    );
    assert_eq!(list(&served, "0/run/artifacts/empty").1, json!({}));
    assert_eq!(list(&served, "missing").1, json!({}));
}

fn list(served: &Served, path: &str) -> (u16, serde_json::Value) {
    let mut answer = served.get(&format!("{PROXY}?path={path}"));
    let text = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
}

#[test]
fn ranges_are_served() {
    let served = Served::new();
    served.put("a", b"0123456789");
    let part = |range| served.part("a", range);
    assert_eq!(part("bytes=2-4"), (206, "bytes 2-4/10".to_owned(), b"234".to_vec()));
    assert_eq!(part("bytes=-2"), (206, "bytes 8-9/10".to_owned(), b"89".to_vec()));
    assert_eq!(part("bytes=20-"), (416, "bytes */10".to_owned(), Vec::new()));
    let (status, _, several) = part("bytes=0-1,5-6");
    let several = String::from_utf8(several).unwrap();
    assert_eq!(status, 206);
    assert!(several.contains("Content-Range: bytes 0-1/10\r\n\r\n01\r\n--"), "{several}");
    assert!(several.contains("Content-Range: bytes 5-6/10\r\n\r\n56\r\n--"), "{several}");
}

#[test]
fn path_that_leaves_the_folder_is_refused_and_nothing_is_written() {
    let served = Served::new();
    served.put("inside/a", b"x");
    fs::write(served.folder.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(served.folder.path(), served.artifacts().join("link")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", served.artifacts().join("dangling")).unwrap();
    for path in [
        "../secret",
        "%2e%2e/secret",
        "inside/..%2f..%2fsecret",
        "%252e%252e%252fsecret",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "link/secret",
        "link/new",
        "dangling",
        "C:/x",
        "a%0d%0aX-Evil:%201",
    ] {
        let url = served.url(&format!("{PROXY}/{path}"));
        for answer in [
            served.agent.get(&url).call().unwrap(),
            served.agent.put(&url).send("evil").unwrap(),
            served.agent.delete(&url).call().unwrap(),
        ] {
            assert_eq!(answer.status(), 400, "{path}");
            assert!(!answer.headers().contains_key("x-evil"));
        }
    }
    assert_eq!(fs::read(served.folder.path().join("secret")).unwrap(), b"secret");
    assert!(!served.folder.path().join("new").exists());
}

#[test]
fn upload_that_breaks_off_leaves_the_former_file() {
    let served = Served::new();
    served.put("f", b"former");
    let mut stream = TcpStream::connect(served.address).unwrap();
    let head = format!("PUT {PROXY}/f HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"half").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let _ = stream.read_to_string(&mut String::new());
    // The answer comes after the unfinished file was removed.
    assert_eq!(fs::read(served.artifacts().join("f")).unwrap(), b"former");
    assert_eq!(files(&served.artifacts()), ["f"]);
}

#[test]
fn browser_writes_below_the_proxy_only() {
    let served = Served::new();
    let upload = |run_id: &str, content: &[u8]| {
        let path = format!("/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run_id}&path=a.txt");
        served.agent.post(served.url(&path)).send(content).unwrap().status().as_u16()
    };
    let run = served.run();
    assert_eq!((upload(&run, b"x"), upload(&run, b"")), (200, 400));
    assert_eq!(upload(&run, &vec![0; (10 << 20) + 1]), 400);
    assert_eq!(upload("missing", b"x"), 404);
    let outside = served.folder.path().join("outside");
    let experiment = json!({"name": "outside", "artifact_location": outside});
    let experiment = served.done("experiments/create", &experiment.to_string());
    let run = json!({"experiment_id": experiment["experiment_id"]});
    let run = served.done("runs/create", &run.to_string());
    assert_eq!(upload(run["run"]["info"]["run_id"].as_str().unwrap(), b"x"), 400);
    assert!(!outside.exists());
}

#[test]
fn slow_uploads_and_downloads_hinder_no_others() {
    let served = Served::new();
    served.put("large", &vec![7; 8 << 20]);
    let mut slow = Vec::new();
    // More than there are threads that work on the store.
    for number in 0..40 {
        let mut upload = TcpStream::connect(served.address).unwrap();
        let head =
            format!("PUT {PROXY}/slow{number} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx");
        upload.write_all(head.as_bytes()).unwrap();
        let mut download = TcpStream::connect(served.address).unwrap();
        download
            .write_all(format!("GET {PROXY}/large HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
            .unwrap();
        slow.extend([upload, download]);
    }
    assert_eq!(served.run().len(), 32);
    assert_eq!(served.put("quick", b"x"), 200);
    assert_eq!(served.get(&format!("{PROXY}/quick")).status(), 200);
    drop(slow);
}

#[test]
fn files_of_a_run_are_listed_sent_and_deleted() {
    let served = Served::new();
    let id = served.run();
    served.put(&format!("0/{id}/artifacts/d/a.txt"), b"x");
    let (_, listed) = served.get_json(&format!("artifacts/list?run_id={id}&path=d"));
    assert_eq!(listed["files"], json!([{"path": "d/a.txt", "is_dir": false, "file_size": 1}]));
    assert_eq!(listed["root_uri"], json!(format!("mlflow-artifacts:/0/{id}/artifacts")));
    let mut file = served.get(&format!("/get-artifact?run_id={id}&path=d/a.txt"));
    assert_eq!(file.body_mut().read_to_string().unwrap(), "x");
    let folder = served.get(&format!("/get-artifact?run_id={id}&path=d"));
    assert_eq!(folder.status(), 400);
    let url = served.url(&format!("{PROXY}/0/{id}/artifacts/d"));
    for _ in 0..2 {
        assert_eq!(served.agent.delete(&url).call().unwrap().status(), 200);
    }
    assert_eq!(served.get(&format!("/get-artifact?run_id={id}&path=d/a.txt")).status(), 404);
    assert_eq!(
        served.agent.delete(served.url(&format!("{PROXY}/."))).call().unwrap().status(),
        400
    );
}

#[test]
fn what_is_not_offered_is_refused_with_a_text_that_clients_know() {
    let served = Served::new();
    let url = served.url("/api/2.0/mlflow-artifacts/mpu/create/a");
    let body = r#"{"path": "a", "num_parts": 2}"#;
    let mut answer = served.agent.post(url).content_type("application/json").send(body).unwrap();
    assert_eq!(answer.status(), 501);
    assert!(
        answer.body_mut().read_to_string().unwrap().contains("Multipart upload is not supported")
    );
    assert_eq!(served.get("/api/3.0/mlflow/traces/search").status(), 501);
}
