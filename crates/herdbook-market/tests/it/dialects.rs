//! The exports of trading programs and exchanges: the same three bars, as each of them writes them.

use std::io::Write;

use herdbook_market::{Bar, RawBars, ReadOptions, read_bars_as};

use crate::data::{FIRST_MS, three_bars as bars};

const HOUR_MS: i64 = 3_600_000;
/// The volume that is given in another unit, or that the export does not know.
fn with_volumes(volumes: [f64; 3]) -> Vec<Bar> {
    bars().into_iter().zip(volumes).map(|(bar, volume)| Bar { volume, ..bar }).collect()
}

fn read_as(text: &str, reading: &ReadOptions) -> Result<RawBars, String> {
    read_bars_as(text.as_bytes(), "export.csv", reading).map_err(|error| error.to_string())
}

fn read(text: &str) -> RawBars {
    read_as(text, &ReadOptions::default()).unwrap()
}

fn says(raw: &RawBars, what: &str) -> bool {
    raw.remarks().iter().any(|remark| remark.contains(what))
}

#[test]
fn binance_klines_with_their_header_in_milliseconds_and_microseconds() {
    const HEADER: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n";
    for unit in [1, 1_000] {
        let time = |hour: i64| (FIRST_MS + hour * HOUR_MS) * unit;
        let text = format!(
            "{HEADER}{},1.05,1.06,1.04,1.055,10,{},10.5,3,5,5.2,0\n{},1.055,1.07,1.05,1.06,0,{},0,0,0,0,0\n\
             {},1.06,1.061,1.02,1.03,7,{},7.3,2,1,1.0,0\n",
            time(0),
            time(1) - 1,
            time(1),
            time(2) - 1,
            time(2),
            time(3) - 1
        );
        let raw = read(&text);
        assert_eq!(raw.as_slice(), bars());
        assert_eq!(says(&raw, "epoch microseconds"), unit == 1_000);
    }
}

#[test]
fn binance_klines_without_a_header_are_known_by_their_contents_and_take_a_given_header() {
    let rows = format!(
        "{FIRST_MS},1.05,1.06,1.04,1.055,10\n{},1.055,1.07,1.05,1.06,0\n{},1.06,1.061,1.02,1.03,7\n",
        FIRST_MS + HOUR_MS,
        FIRST_MS + 2 * HOUR_MS
    );
    let known = read(&rows);
    assert_eq!(known.as_slice(), bars());
    assert!(says(
        &known,
        "no header: by their contents the columns are time,open,high,low,close,volume"
    ));
    let reading = ReadOptions {
        columns: Some("open_time,open,high,low,close,volume".to_owned()),
        ..ReadOptions::default()
    };
    assert_eq!(read_as(&rows, &reading).unwrap().as_slice(), bars());
    let broken = rows.replace("1.061", "x");
    let error = read_as(&broken, &reading).unwrap_err();
    assert!(error.starts_with("`export.csv` line 3, column `high`"), "{error}");
}

#[test]
fn kraken_coinbase_and_bitfinex_order_their_columns_in_their_own_ways() {
    let kraken = "time,open,high,low,close,vwap,volume,count\n1483340400,1.05,1.06,1.04,1.055,1.05,10,4\n\
                  1483344000,1.055,1.07,1.05,1.06,0,0,0\n1483347600,1.06,1.061,1.02,1.03,1.04,7,2\n";
    let coinbase = "time,low,high,open,close,volume\n1483347600,1.02,1.061,1.06,1.03,7\n\
                    1483344000,1.05,1.07,1.055,1.06,0\n1483340400,1.04,1.06,1.05,1.055,10\n";
    let bitfinex = "mts,open,close,high,low,volume\n1483340400000,1.05,1.055,1.06,1.04,10\n\
                    1483344000000,1.055,1.06,1.07,1.05,0\n1483347600000,1.06,1.03,1.061,1.02,7\n";
    for text in [kraken, coinbase, bitfinex] {
        assert_eq!(read(text).as_slice(), bars(), "{text}");
    }
    assert!(says(&read(coinbase), "newest first"));
}

#[test]
fn crypto_data_download_has_a_preamble_two_volumes_and_the_newest_first() {
    let text = "https://www.CryptoDataDownload.com\n\
                unix,date,symbol,open,high,low,close,Volume BTC,Volume USD\n\
                1483347600,2017-01-02 09:00:00,BTC/USD,1.06,1.061,1.02,1.03,7,7.3\n\
                1483344000,2017-01-02 08:00:00,BTC/USD,1.055,1.07,1.05,1.06,0,0\n\
                1483340400,2017-01-02 07:00:00,BTC/USD,1.05,1.06,1.04,1.055,10,10.5\n";
    let refused = read_as(text, &ReadOptions::default()).unwrap_err();
    assert!(refused.contains("(`Volume BTC`, `Volume USD`): choose one with `--volume-column`"));
    let reading =
        |name: &str| ReadOptions { volume_column: Some(name.to_owned()), ..ReadOptions::default() };
    let raw = read_as(text, &reading("volume btc")).unwrap();
    assert_eq!(raw.as_slice(), bars());
    assert!(says(&raw, "the header is in line 2") && says(&raw, "newest first"));
    let none = read_as(text, &reading("none")).unwrap();
    assert_eq!(none.as_slice(), with_volumes([0.0; 3]));
    let missing = read_as(text, &reading("Volume EUR")).unwrap_err();
    assert!(missing.contains("has no column `Volume EUR`"), "{missing}");
    let wrong = text.replace("1.061", "0.5");
    let error = read_as(&wrong, &reading("Volume USD")).unwrap_err();
    assert!(error.starts_with("`export.csv` line 3, column `high`"), "{error}");
}

#[test]
fn old_exports_have_twelve_hour_clocks() {
    let text = "Date,Symbol,Open,High,Low,Close,Volume BTC\n2017-01-02 09-AM,BTCUSD,1.06,1.061,1.02,1.03,7\n\
                2017-01-02 08-AM,BTCUSD,1.055,1.07,1.05,1.06,0\n2017-01-02 07-AM,BTCUSD,1.05,1.06,1.04,1.055,10\n";
    assert_eq!(read(text).as_slice(), bars());
}

#[test]
fn metatrader_times_are_those_of_its_server() {
    let text = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n\
                2017.01.02\t09:00:00\t1.05\t1.06\t1.04\t1.055\t10\t0\t2\n\
                2017.01.02\t10:00:00\t1.055\t1.07\t1.05\t1.06\t0\t0\t2\n\
                2017.01.02\t11:00:00\t1.06\t1.061\t1.02\t1.03\t7\t0\t2\n";
    let no_zone = ReadOptions::default();
    let asked = read_as(text, &no_zone).unwrap_err();
    assert!(asked.contains("give its time zone with `--bar-timezone`"), "{asked}");
    let reading = ReadOptions { zone: Some("+02:00".parse().unwrap()), ..no_zone };
    let raw = read_as(text, &reading).unwrap();
    assert_eq!(raw.as_slice(), bars());
    assert!(says(&raw, "MetaTrader export") && says(&raw, "read as +02:00"));
    assert!(says(&raw, "the volume is `<TICKVOL>`; `<VOL>` is 0"));
    // With both volumes above zero only the user knows.
    let two = text.replace("\t10\t0\t2", "\t10\t3\t2");
    let asked = read_as(&two, &reading).unwrap_err();
    assert!(asked.contains("(`<TICKVOL>`, `<VOL>`)"), "{asked}");
}

#[test]
fn stooq_writes_compact_dates_and_clocks() {
    let text = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n\
                EURUSD,60,20170102,080000,1.05,1.06,1.04,1.055,10,0\n\
                EURUSD,60,20170102,090000,1.055,1.07,1.05,1.06,0,0\n\
                EURUSD,60,20170102,100000,1.06,1.061,1.02,1.03,7,0\n";
    let asked = read_as(text, &ReadOptions::default()).unwrap_err();
    assert!(asked.contains("`--bar-timezone`"), "{asked}");
    let reading = ReadOptions { zone: Some("+01:00".parse().unwrap()), ..ReadOptions::default() };
    let raw = read_as(text, &reading).unwrap();
    assert_eq!((raw.as_slice(), raw.instrument()), (&bars()[..], Some("EURUSD")));
}

#[test]
fn histdata_writes_compact_times_and_no_header() {
    let text = "20170102 020000;1.05;1.06;1.04;1.055;10\n20170102 030000;1.055;1.07;1.05;1.06;0\n\
                20170102 040000;1.06;1.061;1.02;1.03;7\n";
    let reading = ReadOptions {
        columns: Some("time,open,high,low,close,volume".to_owned()),
        zone: Some("-05:00".parse().unwrap()),
        ..ReadOptions::default()
    };
    assert_eq!(read_as(text, &reading).unwrap().as_slice(), bars());
}

#[test]
fn yahoo_prices_are_those_traded_and_yfinance_has_three_header_lines() {
    let text = "Date,Open,High,Low,Close,Adj Close,Volume\n2017-01-02,1.05,1.06,1.04,1.055,0.9,10\n\
                2017-01-03,1.055,1.07,1.05,1.06,0.91,0\n";
    let raw = read(text);
    assert_eq!(raw.as_slice()[0].close, 1.055);
    assert!(says(&raw, "`Adj Close` is not used"));
    let text = "Price,Close,High,Low,Open,Volume\nTicker,AAPL,AAPL,AAPL,AAPL,AAPL\nDatetime,,,,,\n\
                2017-01-02 07:00:00+00:00,1.055,1.06,1.04,1.05,10\n2017-01-02 08:00:00+00:00,1.06,1.07,1.05,1.055,0\n\
                2017-01-02 09:00:00+00:00,1.03,1.061,1.02,1.06,7\n";
    let raw = read(text);
    assert_eq!(raw.as_slice(), bars());
    assert!(says(&raw, "the header has 3 lines"));
    assert_eq!(raw.instrument(), Some("AAPL"));
    let two = text.replace("AAPL,AAPL,AAPL,AAPL,AAPL", "AAPL,MSFT,AAPL,AAPL,AAPL");
    assert!(read_as(&two, &ReadOptions::default()).is_err());
}

#[test]
fn columns_may_begin_with_the_instrument_or_a_number() {
    for (time, prefix, volume) in [
        ("Date", "AAPL ", "AAPL Volume"),
        ("time", "BTCUSDT_", "BTCUSDT_volume"),
        ("timestamp", "1. ", "5. volume"),
    ] {
        let text = format!(
            "{time},{prefix}open,{prefix}high,{prefix}low,{prefix}close,{volume}\n2017-01-02 07:00,1.05,1.06,1.04,1.055,10\n\
             2017-01-02 08:00,1.055,1.07,1.05,1.06,0\n2017-01-02 09:00,1.06,1.061,1.02,1.03,7\n"
        );
        assert_eq!(read(&text).as_slice(), bars(), "{text}");
    }
}

#[test]
fn freqtrade_dates_have_a_zone_and_a_zone_asked_for_does_not_move_them() {
    let text = "date,open,high,low,close,volume\n2017-01-02 07:00:00+00:00,1.05,1.06,1.04,1.055,10\n\
                2017-01-02 08:00:00+00:00,1.055,1.07,1.05,1.06,0\n2017-01-02 09:00:00+00:00,1.06,1.061,1.02,1.03,7\n";
    let reading = ReadOptions { zone: Some("-05:00".parse().unwrap()), ..ReadOptions::default() };
    assert_eq!(read_as(text, &reading).unwrap().as_slice(), bars());
    let local = text.replace("+00:00", "");
    let shifted = read_as(&local, &reading).unwrap();
    assert_eq!(shifted.as_slice()[0].open_time_ms, FIRST_MS + 5 * HOUR_MS);
}

#[test]
fn rows_out_of_order_are_refused_where_their_order_shows_which_hour_is_meant() {
    let row = |(idx, hour): (usize, &str)| format!("2017-10-29 {hour}:00,2,3,1,2,{idx}\n");
    let file = |hours: &[&str]| {
        let rows: String = hours.iter().copied().enumerate().map(row).collect();
        format!("time,open,high,low,close,volume\n{rows}")
    };
    let zone = Some("Europe/Athens".parse().unwrap());
    let reading = ReadOptions { zone, ..ReadOptions::default() };
    assert!(read_as(&file(&["02", "03", "03", "04", "05", "06"]), &reading).is_ok());
    let refused = read_as(&file(&["02", "03", "03", "04", "06", "05"]), &reading).unwrap_err();
    assert!(refused.contains("line 7") && refused.contains("is before the row above"), "{refused}");
}

#[test]
fn gzipped_file_is_read_and_a_broken_one_refused() {
    let text = "time,open,high,low,close\n2017-01-02 08:00,1,1,1,1\n2017-01-02 09:00,1,1,1,1\n";
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let reading = ReadOptions::default();
    assert_eq!(read_bars_as(&packed, "a.csv.gz", &reading).unwrap().as_slice().len(), 2);
    let cut = read_bars_as(&packed[..packed.len() / 2], "a.csv.gz", &reading).unwrap_err();
    assert!(cut.to_string().starts_with("`a.csv.gz` cannot be unpacked"), "{cut}");
}
