"""Reads back, with readers that are not ours, what bizumctl files while it is killed again and again.

Wants the program built with the tag killpoints as its argument, and pyarrow and duckdb. Each format: kills at each step,
and at random moments, until all is filed; every file that shows in between must be whole, and in the end each offset of
the topic must be in exactly one of them, with the fields that it has in the topic.
"""

import base64
import decimal
import glob
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.json

PROGRAM = os.path.abspath(sys.argv[1])
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 50  # a format
SEED = random.randrange(1 << 30) if len(sys.argv) < 4 else int(sys.argv[3])
STEPS = [(operation, part) for part in ("/.bizums", "_rejected", "_bizumctl.json")
         for operation in ("create", "write", "sync", "rename")] + [("rename", "/bizums"), ("syncdir", "-")]
NASTY = ['"La" Mari', "a,b", "=1+1", "@x", "línea\nrota", "cr\rcr", "\ttab", "ñandú 👩‍👧", "'", "\\n", " ", "NULL", "\u2028"]
TYPES = [pa.string(), pa.decimal128(14, 2), pa.string(), pa.string(), pa.string(), pa.string(), pa.int32(), pa.int64(),
         pa.timestamp("ms", tz="UTC")]
COLUMNS = ["nombre", "cantidad", "concepto", "tipo", "cuenta", "topic", "partition", "offset", "timestamp"]


def bizumctl(*args, **more):
    return subprocess.run([PROGRAM, *args], check=True, capture_output=True, **more).stdout


def fill(broker):
    """Puts bizums of many accounts, strange ones and some that are none into a topic of three partitions."""
    bizumctl("produce", "--rate", "max", "--count", "12000", "--accounts", "90", "--partitions", "3", "--seed", "7")
    values = [f"{name};{n + 5}.25;{NASTY[n % 7]};envío" for n, name in enumerate(NASTY)]
    values += ["no bizum", "Ana;1.234;x;ENVIO", "Ana;-5;x;ENVIO", "Ana;5;x;y"]
    text = b"".join(f"cuenta-{n % 90 + 1}\x1f{value}\x1e".encode() for n, value in enumerate(values * 20))
    text += b"cuenta-1\x1f\xff\xfe;5;x;ENVIO\x1e"
    subprocess.run(["kcat", "-P", "-b", broker, "-t", "bizums", "-K", "\x1f", "-D", "\x1e", "-X",
                    "partitioner=murmur2_random"], input=text, check=True)
    bizumctl("produce", "--rate", "max", "--count", "6000", "--accounts", "90", "--seed", "8")


def reference():
    """What the topic has: the good ones by place, and the values of all."""
    rows = {}
    for line in bizumctl("consume", "--json", "--exit", "--quiet").split(b"\n")[:-1]:
        o = json.loads(line, parse_float=decimal.Decimal)
        rows[o["partition"], o["offset"]] = (o["nombre"], o["cantidad"], o["concepto"], o["tipo"], o["cuenta"], "bizums",
                                             o["partition"], o["offset"], o["timestamp"])
    return rows


def read(kind, files):
    """The rows of files, by pyarrow."""
    if kind == "parquet":
        table = pa.dataset.dataset(files, format="parquet").to_table()
    elif kind == "csv":
        options = dict(parse_options=pa.csv.ParseOptions(newlines_in_values=True),
                       convert_options=pa.csv.ConvertOptions(column_types=dict(zip(COLUMNS, TYPES)), strings_can_be_null=False))
        table = pa.concat_tables([pa.csv.read_csv(f, **options) for f in files])
    else:
        rows = [json.loads(line, parse_float=decimal.Decimal) for f in files for line in open(f, newline="\n", encoding="utf-8")]
        return [tuple(row[c] for c in COLUMNS) for row in rows]
    assert table.column_names == COLUMNS and [f.type for f in table.schema] == TYPES, table.schema
    columns = [c.to_pylist() for c in table.columns]
    columns[-1] = [t.strftime("%Y-%m-%dT%H:%M:%S.") + f"{t.microsecond // 1000:03d}Z" for t in columns[-1]]
    return list(zip(*columns))


def lines(files):
    """The lines of text files, by place: a file's name tells its offsets, but gaps and rejected ones not which."""
    found = []
    for f in files:
        found += open(f, newline="\n", encoding="utf-8").read().split("\n")[:-1]
    return found


def run(folder, kind, rng):
    """One run of consume, perhaps killed. Answers whether it came to the end."""
    env = dict(os.environ)
    if rng.random() < 0.7:
        operation, part = rng.choice(STEPS)
        env["BIZUMCTL_STEP"] = f"kill {operation} {part} {rng.randint(1, 6)}"
    process = subprocess.Popen([PROGRAM, "consume", "--dir", folder, "-o", kind, "--exit", "--quiet", "--roll-records", "400"],
                               env=env, stderr=subprocess.DEVNULL)
    if "BIZUMCTL_STEP" not in env:
        try:
            process.wait(rng.uniform(0.02, 0.12))
        except subprocess.TimeoutExpired:
            process.kill()
    code = process.wait()
    assert code in (0, -signal.SIGKILL), code
    return code == 0


def check(kind, rows, rng):
    kills = 0
    while kills < KILLS:
        folder = tempfile.mkdtemp()
        pattern = f"{folder}/bizums-*.{'txt' if kind == 'text' else kind}"
        while not run(folder, kind, rng):
            kills += 1
            files = sorted(glob.glob(pattern))
            if files and kind != "text":
                read(kind, files)  # each one whole
        files = sorted(glob.glob(pattern))
        spans = sorted(tuple(int(n) for n in re.search(r"-(\d+)-(\d{20})-(\d{20})\.", f).groups()) for f in files)
        for (p, _, last), (q, first, _) in zip(spans, spans[1:]):
            assert first == last + 1 if p == q else first == 0, (p, last, q, first)
        rejected = [json.loads(line) for f in glob.glob(folder + "/_rejected/*") for line in open(f, encoding="utf-8")]
        bad = {(r["partition"], r["offset"]) for r in rejected}
        assert len(bad) == len(rejected)
        good = {place: row for place, row in rows.items() if place not in bad}
        everything = {(p, o) for p, first, last in spans for o in range(first, last + 1)}
        assert everything == set(good) | bad and not set(good) & bad
        broken = {place for place, row in rows.items() if re.search("[\r\n]", row[0] + row[2])}
        assert bad & set(rows) == (broken if kind == "text" else set())
        assert any(r.get("encoding") == "base64" and base64.b64decode(r["bytes"])[:1] == b"\xff" for r in rejected)
        if kind == "text":
            want = [f"{r[0]};{r[1]:.2f};{r[2]};{r[3]}" for r in good.values()]
            assert sorted(lines(files)) == sorted(want)
        else:
            assert sorted(read(kind, files), key=lambda r: r[6:8]) == [good[place] for place in sorted(good)]
            reader = {"parquet": "", "csv": "read_csv", "json": "read_json"}[kind]
            counted = duckdb.sql(f"select count(*), count(distinct (\"partition\", \"offset\")), sum(cantidad)::decimal(20, 2) "
                                 f"from {reader}('{pattern}')").fetchall()[0]
            assert counted == (len(good), len(good), sum(r[1] for r in good.values())), counted
    return kills


def main():
    rng = random.Random(SEED)
    print("seed", SEED, flush=True)
    with tempfile.TemporaryDirectory() as work:
        tempfile.tempdir = work
        log = open(f"{work}/broker", "w+")
        broker = subprocess.Popen([PROGRAM, "broker", "--listen", "localhost:0"], stderr=log, stdout=log)
        try:
            while not (found := re.search(r"\S+:[1-9]\d+", open(f"{work}/broker").read())):
                assert broker.poll() is None
                time.sleep(0.05)
            os.environ["BIZUMCTL_BROKERS"] = found.group()
            fill(found.group())
            rows = reference()
            for kind in ("parquet", "csv", "json", "text"):
                print(kind, "killed", check(kind, rows, rng), "times, read back:", len(rows), "bizums", flush=True)
        finally:
            broker.terminate()
            broker.wait()


main()
