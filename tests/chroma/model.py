# SPDX-License-Identifier: Apache-2.0
"""What a Chroma must hold after some operations, and operations at random (module; no Chroma).

An operation is a dict: "do" (create, drop, add, update, upsert, delete), "collection" ([tenant,
database, name]), and the arguments of Collection.add() and so on.
"""
import random


class Model:
    """collections: {(tenant, database, name): {id: {"embedding", "metadata", "document"}}}"""

    def __init__(self):
        self.collections = {}

    @classmethod
    def of(cls, expected):
        """From an expected.json."""
        m = cls()
        for c in expected["collections"]:
            m.collections[c["tenant"], c["database"], c["name"]] = {
                r["id"]: {k: r[k] for k in ("embedding", "metadata", "document")}
                for r in c["records"]}
        return m

    def do(self, op):
        where = tuple(op["collection"])
        if op["do"] == "create":
            self.collections[where] = {}
        elif op["do"] == "drop":
            del self.collections[where]
        elif op["do"] == "delete":
            for i in op["ids"]:
                self.collections[where].pop(i, None)
        else:
            for n, i in enumerate(op["ids"]):
                self.put(self.collections[where], op["do"], i, *(
                    op[k][n] if op.get(k) else None
                    for k in ("embeddings", "metadatas", "documents")))

    def put(self, records, what, i, vector, metadata, document):
        r = records.get(i)
        if r is None:
            if what == "update":
                return
            r = records[i] = {"embedding": None, "metadata": None, "document": None}
        elif what == "add":
            return  # of what is there: no effect
        if vector is not None:
            r["embedding"] = vector
        if metadata:
            r["metadata"] = {**(r["metadata"] or {}), **metadata}
        if document is not None:
            r["document"] = document


class Operations:
    """Operations at random, on collections of a model, which follows them."""

    def __init__(self, model, seed, dim):
        self.model, self.rng, self.dim, self.n = model, random.Random(seed), dim, 0

    def vectors(self, n):
        # exact in float32, and in steps coarse enough to be exact as decimals
        return [[self.rng.randrange(-640, 640) / 64 + 1 / 128 for _ in range(self.dim)]
                for _ in range(n)]

    def new_ids(self, n):
        self.n += n
        return ["new %d ❄" % k for k in range(self.n - n, self.n)]

    def content(self, ids, vectors=True, documents=True):
        n = len(ids)
        op = {"ids": ids, "metadatas": [{"i": self.rng.randrange(40), "n": self.rng.randrange(9)}
                                        for _ in ids]}
        if vectors:
            op["embeddings"] = self.vectors(n)
        if vectors and documents:  # a new document alone is embedded anew, by a model
            op["documents"] = ["document %d" % self.rng.randrange(40) for _ in ids]
        return op

    def live(self, where, most):
        ids = sorted(self.model.collections[tuple(where)])
        return self.rng.sample(ids, min(len(ids), self.rng.randint(1, most)))

    def one(self, what, where, ids, **kw):
        op = {"do": what, "collection": list(where)}
        op.update({"ids": ids} if what == "delete" else self.content(ids, **kw))
        self.model.do(op)
        return op
