"""Unusable bars give a clear error with its place, and nothing is written."""

import gzip

import pytest

from herd import SAMPLES, hourly_bars, strict_json, training

HEADER, ROWS = hourly_bars()
WORST = 200


def altered(row_idx, **fields):
    """All bars, with some fields of one row replaced."""
    rows = list(ROWS)
    values = dict(zip(HEADER.split(","), rows[row_idx].split(",")))
    rows[row_idx] = ",".join({**values, **fields}.values())
    return rows


def text(rows, header=HEADER):
    return "\n".join([header, *rows, ""]).encode()


def moved(rows, source, target):
    rows = list(rows)
    rows.insert(target, rows.pop(source))
    return rows


TIME, _, HIGH, *_ = ROWS[WORST].split(",")
# The file and words of the expected message. The header is line 1, so row index 200 is line 202.
LINE = f"line {WORST + 2}"
CASES = {
    "empty file": (b"", ["is empty"]),
    "header only": (text([]), ["no bars"]),
    "binary file": (bytes(range(256)) * 64, ["not text"]),
    "not a number": (text(altered(WORST, close="1.05x")), [LINE, "`close`", "`1.05x`"]),
    "NaN price": (text(altered(WORST, close="NaN")), [LINE, "`close`", "NaN"]),
    "infinite price": (text(altered(WORST, high="inf")), [LINE, "`high`", "inf"]),
    "missing price": (text(altered(WORST, open="")), [LINE, "`open`"]),
    "negative price": (text(altered(WORST, low="-1.05")), [LINE, "`low`", "-1.05"]),
    "zero price": (text(altered(WORST, low="0")), [LINE, "`low`", "`0`", "above zero"]),
    "high below low": (text(altered(WORST, high="0.5")), [LINE, "`high`", "0.5"]),
    "low above close": (text(altered(WORST, low=HIGH)), [LINE, "`low`", HIGH]),
    "negative volume": (text(altered(WORST, volume="-3")), [LINE, "`volume`", "-3"]),
    "bad time": (text(altered(WORST, timestamp="yesterday")), [LINE, "`yesterday`"]),
    "conflicting rows": (
        text([*ROWS[: WORST + 1], *altered(WORST, volume="1")[WORST:]]),
        [f"line {WORST + 3}", TIME, "other values"],
    ),
    "row too short": (text([*ROWS[:WORST], ROWS[WORST].rsplit(",", 1)[0], *ROWS[WORST + 1 :]]), [LINE]),
    "too few bars": (text(ROWS[:100]), ["100 bars", "too few", "need"]),
    "single bar": (text(ROWS[:1]), ["one bar"]),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_bars_are_refused_with_their_place(herd, case):
    content, expected = CASES[case]
    (herd.folder / "BAD.csv").write_bytes(content)
    answer = herd.run(*training("--data", "BAD.csv", "--json"))
    assert answer.status == 2, answer
    assert answer.error["code"] == "invalid_input"
    for part in ["BAD.csv" if case != "too few bars" else "bars", *expected]:
        assert part in answer.error["message"], answer.error
    assert [path.name for path in herd.folder.iterdir()] == ["BAD.csv"]


def test_file_without_a_header_is_read_and_the_columns_are_announced(herd):
    (herd.folder / "BARE.csv").write_bytes(text(ROWS[1:], ROWS[0]))
    answer = herd.run(*training("--data", "BARE.csv", "--json"))
    assert answer.status == 0, answer
    assert "open,high,low,close,volume" in answer.stderr, answer


def test_rows_out_of_order_are_sorted_and_counted(herd):
    hashes = set()
    for rows in (ROWS, moved(ROWS, WORST, WORST + 1)):
        (herd.folder / "EURUSD.csv").write_bytes(text(rows))
        answer = herd.run(*training("--data", "EURUSD.csv", "--json"))
        assert answer.status == 0, answer
        run_id = strict_json(answer.stdout)["run_id"]
        hashes.add(herd.client().get_run(run_id).data.params["data.sha256"])
    assert "sorted by time: 1 row was before the row above" in answer.stderr, answer.stderr
    assert len(hashes) == 1


def test_coarser_bars_are_refused(herd):
    daily = gzip.decompress((SAMPLES / "ibm_1d_2000_2013.csv.gz").read_bytes())
    (herd.folder / "IBM.csv").write_bytes(daily)
    answer = herd.run(*training("--data", "IBM.csv", "--json"))
    assert answer.status == 2, answer
    assert "longer than the" in answer.error["message"]
    assert not herd.database.exists()


@pytest.mark.parametrize("path", ["nowhere.csv", "."])
def test_file_that_cannot_be_read_is_named(herd, path):
    answer = herd.run(*training("--data", path, "--json"))
    assert answer.status == 2, answer
    assert f"`{path}`" in answer.error["message"]
    assert not herd.database.exists()


def test_repeated_identical_rows_are_dropped_and_counted(herd):
    rows = [*ROWS[: WORST + 1], ROWS[WORST], *ROWS[WORST + 1 :]]
    (herd.folder / "EURUSD.csv").write_bytes(text(rows))
    answer = herd.run(*training("--data", "EURUSD.csv"))
    assert answer.status == 0, answer
    assert "1" in answer.stderr and "repeated" in answer.stderr, answer.stderr


def test_same_bars_in_another_spelling_train_the_same_model(herd):
    """Epoch milliseconds, and columns in another order and case: the bars and their hash are the same."""
    from datetime import datetime

    header, rows = hourly_bars()
    spelled = ["Volume,CLOSE,Low,High,Open,Time"]
    for row in rows:
        time, open_, high, low, close, volume = row.split(",")
        at = datetime.fromisoformat(time.replace("Z", "+00:00"))
        spelled.append(f"{volume},{close},{low},{high},{open_},{int(at.timestamp() * 1000)}")
    (herd.folder / "EURUSD.csv").write_text("\n".join([header, *rows]))
    (herd.folder / "spelled.csv").write_text("\n".join(spelled))
    hashes = set()
    for data in ("EURUSD.csv", "spelled.csv"):
        run_id = herd.train("--data", data, "--symbol", "EURUSD")["run_id"]
        hashes.add(herd.client().get_run(run_id).data.params["data.sha256"])
    assert len(hashes) == 1
    files = "SELECT DISTINCT json_extract(details, '$.model_sha256') FROM herdbook_events WHERE kind = 'registered'"
    assert len(herd.rows(files)) == 1


def assert_finite(herd, trained):
    """An undefined metric is absent in the output and in the database."""
    assert all(isinstance(value, (int, float)) for value in trained["metrics"].values())
    assert herd.rows("SELECT key FROM metrics WHERE is_nan OR abs(value) > 1e300") == []


def test_metrics_of_a_market_that_never_moves_are_absent_not_nan(herd):
    """Constant prices without costs: returns are zero, and ratios have a zero denominator."""
    rows = [f"{row.split(',')[0]},1.25,1.25,1.25,1.25,100" for row in ROWS]
    (herd.folder / "FLAT.csv").write_bytes(text(rows))
    trained = herd.train("--data", "FLAT.csv", "--cost-bps", "0")
    ratios = ("sharpe_ratio", "sortino_ratio", "calmar_ratio", "profit_factor")
    assert [name for name in ratios if f"portfolio/{name}" in trained["metrics"]] == []
    assert trained["metrics"]["portfolio/total_return"] == 0
    assert_finite(herd, trained)


def test_total_loss_is_a_result_not_a_failure(herd):
    """Every tenth price is three times the others, so a short position loses the whole account."""
    rows = []
    for row_idx, row in enumerate(ROWS):
        price = 3 if row_idx % 10 == 9 else 1
        rows.append(f"{row.split(',')[0]},{price},{price},{price},{price},100")
    (herd.folder / "RUIN.csv").write_bytes(text(rows))
    trained = herd.train("--data", "RUIN.csv")
    assert trained["metrics"]["portfolio/total_return"] >= -1
    assert_finite(herd, trained)


def test_market_beyond_all_bounds_leaves_no_number_that_is_none(herd):
    """Prices rise and fall a thousandfold at each bar, so equity exceeds the range of a number."""
    rows = []
    for row_idx, row in enumerate(ROWS):
        first, last = (1, 1000) if row_idx % 2 else (1000, 1)
        rows.append(f"{row.split(',')[0]},{first},1000,1,{last},100")
    (herd.folder / "WILD.csv").write_bytes(text(rows))
    assert_finite(herd, herd.train("--data", "WILD.csv"))
