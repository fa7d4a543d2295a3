"""Makes the Parquet files of these tests with the programs that users have: pandas, pyarrow, polars, duckdb, fastparquet.

    pip install pyarrow==25.0.1 pandas==2.3.3 polars==2.1.0 duckdb==2.0.1 fastparquet==2026.9.0
    python make_parquet.py

Every file holds the same three hourly bars, or says otherwise in its name.
"""

import datetime as dt
import decimal
import pathlib

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
OPEN, HIGH = [1.05, 1.055, 1.06], [1.06, 1.07, 1.061]
LOW, CLOSE = [1.04, 1.05, 1.02], [1.055, 1.06, 1.03]
VOLUME = [10.0, 0.0, 7.0]
FIRST = 1_483_340_400
EPOCH = [FIRST + 3_600 * hour for hour in range(3)]
TIMES = [dt.datetime.fromtimestamp(at, dt.timezone.utc) for at in EPOCH]
NAIVE = [at.replace(tzinfo=None) for at in TIMES]
PRICES = {"open": OPEN, "high": HIGH, "low": LOW, "close": CLOSE, "volume": VOLUME}


def path(name):
    return HERE / f"{name}.parquet"


def arrow(name, times, prices=PRICES, columns=None, **options):
    table = pa.table({"timestamp": times, **prices, **(columns or {})})
    pq.write_table(table, path(name), **options)


def pandas_files():
    utc = pd.DatetimeIndex(TIMES)
    pd.DataFrame(PRICES, index=utc).to_parquet(path("pandas_index_without_name"))
    naive = pd.DatetimeIndex(NAIVE, name="Date")
    titled = {name.title(): values for name, values in PRICES.items()}
    pd.DataFrame(titled, index=naive).to_parquet(path("pandas_named_index_naive"), compression="zstd")
    rows = pd.DataFrame({"timestamp": TIMES, **PRICES}, index=[4, 7, 9])
    rows.to_parquet(path("pandas_row_numbers_beside_the_time"))
    pairs = pd.MultiIndex.from_tuples([(name.title(), "AAPL") for name in PRICES])
    frame = pd.DataFrame(list(zip(*PRICES.values())), columns=pairs, index=pd.DatetimeIndex(TIMES, name="Datetime"))
    frame.to_parquet(path("yfinance_two_level_columns"))
    rows.to_parquet(path("fastparquet"), engine="fastparquet", index=False)


def arrow_files():
    for unit in ("ms", "us", "ns"):
        arrow(f"arrow_{unit}_utc", pa.array(TIMES, pa.timestamp(unit, "UTC")))
    arrow("arrow_int96", pa.array(NAIVE, pa.timestamp("ns")), use_deprecated_int96_timestamps=True)
    arrow("arrow_epoch_seconds", pa.array(EPOCH, pa.int64()), version="1.0")
    arrow("arrow_epoch_seconds_float", pa.array([float(at) for at in EPOCH]))
    arrow("arrow_epoch_nanoseconds", pa.array([at * 10**9 for at in EPOCH], pa.int64()))
    texts = {name: [str(value) for value in values] for name, values in PRICES.items()}
    arrow("arrow_all_text", [at.isoformat() for at in TIMES], texts)
    exact = [[decimal.Decimal(str(value)) for value in values] for values in PRICES.values()]
    for digits in (9, 18, 38):
        kind = pa.decimal128(digits, 4)
        prices = {name: pa.array(values, kind) for name, values in zip(PRICES, exact)}
        arrow(
            f"arrow_decimals_of_{digits}_digits",
            TIMES,
            prices,
            store_decimal_as_integer=digits < 38,
            compression="gzip",
        )
    arrow(
        "arrow_dictionaries_and_lists",
        TIMES,
        {name: pa.array(values).dictionary_encode() for name, values in PRICES.items()},
        {"symbol": pa.array(["EURUSD"] * 3).dictionary_encode(), "tags": [["a"], [], ["b", "c"]]},
    )
    arrow(
        "arrow_every_row_its_group_pages_v2",
        pa.array(TIMES, pa.timestamp("ms", "UTC")),
        row_group_size=1,
        data_page_version="2.0",
        compression="zstd",
        use_dictionary=False,
        column_encoding={"timestamp": "DELTA_BINARY_PACKED", "open": "BYTE_STREAM_SPLIT"},
    )
    days = [dt.date(2017, 1, day) for day in (2, 3, 4)]
    arrow("days", pa.array(days, pa.date32()))
    halves = {name: pa.array([1.5, 1.75, 1.25], pa.float32()) for name in ("open", "high", "low", "close")}
    arrow("single_precision_halves", TIMES, halves)
    arrow("null_in_row_2", TIMES, {**PRICES, "close": [1.055, None, 1.03]})
    arrow("null_time_in_row_3", pa.array([*TIMES[:2], None], pa.timestamp("ms", "UTC")))
    arrow("prices_are_truths", TIMES, {**PRICES, "low": [True, False, True]})
    arrow("brotli", TIMES, compression="brotli")
    arrow("two_instruments", TIMES, columns={"symbol": ["A", "A", "B"]})
    pq.write_table(pa.table({"a": [1, 2]}), path("no_bars"))


def other_files():
    pl.DataFrame({"time": NAIVE, **PRICES}).write_parquet(path("polars"))
    frame = pd.DataFrame({"time": NAIVE, **PRICES})
    query = (
        "SELECT time::TIMESTAMP AS time, open::DECIMAL(12,5) AS open, high::DECIMAL(12,5) AS high, "
        "low::DOUBLE AS low, close::DOUBLE AS close, volume::BIGINT AS volume FROM frame"
    )
    duckdb.sql(f"COPY ({query}) TO '{path('duckdb')}' (FORMAT PARQUET)")


if __name__ == "__main__":
    pandas_files()
    arrow_files()
    other_files()
