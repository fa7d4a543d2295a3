//! Zip archives, as exchanges and `HistData` ship their bars.

use std::io::{Cursor, Write as _};

use herdbook_market::{RawBars, ReadOptions, read_bars_as};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::data::three_bars;

const CSV: &str = "time,open,high,low,close,volume\n2017-01-02 07:00,1.05,1.06,1.04,1.055,10\n\
                   2017-01-02 08:00,1.055,1.07,1.05,1.06,0\n2017-01-02 09:00,1.06,1.061,1.02,1.03,7\n";

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn read(archive: &[u8], member: Option<&str>) -> Result<RawBars, String> {
    let reading = ReadOptions { member: member.map(str::to_owned), ..ReadOptions::default() };
    read_bars_as(archive, "a.zip", &reading).map_err(|error| error.to_string())
}

#[test]
fn the_one_csv_of_an_archive_is_read_and_named() {
    let alone = read(&archive(&[("BTCUSDT-1h-2017-01.csv", CSV.as_bytes())]), None).unwrap();
    assert_eq!(alone.as_slice(), three_bars());
    assert_eq!(alone.remarks()[0], "read `BTCUSDT-1h-2017-01.csv` of the archive");
    let members: [(&str, &[u8]); 3] =
        [("__MACOSX/._a.csv", b"x"), ("a.csv", CSV.as_bytes()), ("a.txt", b"a report")];
    let beside = read(&archive(&members), None).unwrap();
    assert_eq!(beside.remarks()[0], "read `a.csv` of the archive; 1 other file is left out");
    assert!(read(&archive(&[("a.txt", CSV.as_bytes())]), None).is_ok());
}

#[test]
fn of_several_files_one_is_asked_for() {
    let members: [(&str, &[u8]); 3] =
        [("2017/a.csv", CSV.as_bytes()), ("2017/b.csv", b"x"), ("2018/b.csv", b"x")];
    let several = archive(&members);
    assert_eq!(
        read(&several, None).unwrap_err(),
        "`a.zip` contains several files: choose one with `--member`: `2017/a.csv`, `2017/b.csv`, \
         `2018/b.csv`"
    );
    for name in ["a.csv", "2017/a.csv"] {
        assert_eq!(read(&several, Some(name)).unwrap().as_slice(), three_bars());
    }
    assert!(read(&several, Some("b.csv")).unwrap_err().contains("contains several files"));
    assert_eq!(
        read(&several, Some("c.csv")).unwrap_err(),
        "`a.zip` contains no file `c.csv` (flag `--member`), only `2017/a.csv`, `2017/b.csv`, \
         `2018/b.csv`"
    );
    assert_eq!(read(&archive(&[]), None).unwrap_err(), "`a.zip` contains no file");
    assert_eq!(
        read(CSV.as_bytes(), Some("a.csv")).unwrap_err(),
        "`a.zip` is not a zip archive: `--member` chooses a file inside one"
    );
}

#[test]
fn cut_and_altered_archives_are_errors_and_nothing_worse() {
    let whole = archive(&[("a.csv", CSV.as_bytes())]);
    for length in 4..whole.len() {
        assert!(read(&whole[..length], None).unwrap_err().contains("cannot be unpacked"));
    }
    for idx in 0..whole.len() {
        let mut altered = whole.clone();
        altered[idx] ^= 0xff;
        let _ = read(&altered, None);
    }
}

#[test]
fn archive_whose_file_says_it_is_huge_is_refused_before_it_is_unpacked() {
    let mut bomb = archive(&[("a.csv", CSV.as_bytes())]);
    let directory = bomb.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    // The uncompressed size stands 24 bytes into the entry of the directory.
    bomb[directory + 24..directory + 28].copy_from_slice(&0xf000_0000_u32.to_le_bytes());
    assert_eq!(
        read(&bomb, None).unwrap_err(),
        "`a.zip` cannot be unpacked: it contains more than 2 GiB"
    );
}
