# SPDX-License-Identifier: Apache-2.0
"""Random logs, and whether what --latest leaves of one does the same.

latest.py make SEED IDS FILE        a stream of wal records, JSONL
latest.py check FILE LEFT           FILE and LEFT, JSONL, replayed upon nothing and, those ids
                                    that are not added first, upon what is there: Prints what differs
latest.py rows N FILE               a stream of N rows, three for each id
"""
import json
import random
import sys

KEYS = ["k", "l", "\u00e9", "", "a\nb"]
VALUES = [None, None, 0, 1.5, "s", True, [1, 2], "\u2744"]


def records(path):
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    if lines[0]["type"] != "begin" or lines[-1] != {"type": "end", "records": len(lines) - 2}:
        sys.exit("%s: no stream" % path)
    return lines[1:-1]


def write(path, rows):
    with open(path, "w") as f:
        n = 0
        f.write('{"type":"begin","stream":"wal","version":1}\n')
        for row in rows:
            f.write(json.dumps(row, separators=(",", ":"), ensure_ascii=n % 2 == 0) + "\n")
            n += 1
        f.write('{"type":"end","records":%d}\n' % n)


def row(rng, seq, of, rid):
    r = {"type": "wal"}
    if of:
        r["collection_id"] = of
    r.update(seq_id=seq, operation=rng.choice(["ADD", "UPDATE", "UPDATE", "UPSERT", "UPSERT",
                                               "DELETE"]), id=rid)
    if r["operation"] == "DELETE":
        return r
    if r["operation"] != "UPDATE" or rng.random() < 0.5:
        r["embedding"] = [seq, rng.randrange(9) + 0.5]
    for field in ("document", "uri"):
        if rng.random() < 0.4:
            r[field] = rng.choice([None, "", "text %d" % seq, "\U0001f642"])
    dice = rng.random()
    if dice < 0.6:
        r["metadata"] = {k: rng.choice(VALUES) for k in rng.sample(KEYS, rng.randrange(4))}
    elif dice < 0.7:
        r["metadata"] = None
    return r


def make(seed, ids, path):
    rng = random.Random(seed)
    names = [(of, "id %d" % n) for of in ("u", "v", None) for n in range(ids // 3)]
    write(path, (row(rng, seq + 1, *rng.choice(names)) for seq in range(6 * ids)))


def replay(rows, there):
    """{key: {field or key of metadata: value}} after these rows; there: what every id has first."""
    has = {}
    for r in rows:
        key = (r.get("collection_id"), r["id"])
        now = has.setdefault(key, dict(there) if there is not None else None)
        op = r["operation"]
        if op == "DELETE":
            has[key] = None
            continue
        if (op == "ADD" and now is not None) or (op == "UPDATE" and now is None):
            continue
        now = has[key] = now if now is not None else {}
        said = {f: r[f] for f in ("embedding", "document", "uri") if f in r}
        said.update({("metadata", k): v for k, v in (r.get("metadata") or {}).items()})
        for k, v in said.items():
            now.pop(k, None)
            if v is not None:
                now[k] = v
    return has


def check(path, left):
    rows, left = records(path), records(left)
    first = {}
    for r in rows:
        first.setdefault((r.get("collection_id"), r["id"]), r["operation"])
    before = {"embedding": [0], "document": "before", "uri": "before"}
    before.update({("metadata", k): "before" for k in KEYS})
    wrong = 0
    for there in (None, before):
        want, got = replay(rows, there), replay(left, there)
        for key, op in first.items():
            if there is not None and op == "ADD":
                continue    # taken to find the id absent
            # an id of which nothing is left is as it was
            if want[key] != got.get(key, there):
                wrong += 1
                print("%s: is %s, should be %s" % (key, got.get(key), want[key]))
    order = [r["seq_id"] for r in left]
    if order != sorted(order):
        wrong += 1
        print("out of order: %s" % order)
    per = {}
    for r in left:
        per.setdefault((r.get("collection_id"), r["id"]), []).append(r["operation"])
    two = [x for x in per.values() if len(x) > 1]
    for ops in two:
        if len(ops) > 2 or ops[0] not in ("DELETE", "UPDATE") or ops[1] not in ("ADD", "UPSERT"):
            wrong += 1
            print("one id has %s" % ops)
    print("# %d rows, %d left, %d ids with two" % (len(rows), len(left), len(two)))
    if wrong or not two or len(left) * 2 > len(rows):
        sys.exit(1)


def many(n, path):
    write(path, ({"type": "wal", "collection_id": "u", "seq_id": k + 1,
                  "operation": ["ADD", "UPDATE", "UPSERT"][3 * k // n],
                  "id": "id %d" % (k * 7919 % (n // 3)), "embedding": [1, 2.5, k],
                  "metadata": {"k%d" % (k % 5): k}} for k in range(n)))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    elif sys.argv[1] == "check":
        check(*sys.argv[2:])
    else:
        many(int(sys.argv[2]), sys.argv[3])
