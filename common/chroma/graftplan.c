/* SPDX-License-Identifier: Apache-2.0 */
/* graftplan.c - which collection of a snapshot becomes which. */
#include "chroma/graftplan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TENANT "default_tenant"
#define DEFAULT_DATABASE "default_database"
#define SHOWN 20		/* names in a message */

/* Names of a query's first column, for a message. */
static void
names(struct db *db, const char *sql, struct buf *out)
{
	struct db_stmt st;
	struct err ignored;
	int n = 0;

	if (db_prepare(db, &st, sql, &ignored) < 0)
		return;
	while (db_step(&st, &ignored) > 0 && n++ < SHOWN) {
		struct slice s = db_col_text(&st, 0);

		buf_addf(out, "%s%.*s", out->len ? ", " : "", (int)s.len, s.p);
	}
	db_finish(&st);
}

static int
check_database(const struct graft *g, struct db *db,
    const struct graft_of *of, struct err *e)
{
	struct buf there = { 0 };
	int got;

	if (!g->to.era.has_databases)
		return strcmp(of->tenant, DEFAULT_TENANT) == 0 &&
		    strcmp(of->database, DEFAULT_DATABASE) == 0 ? 0 :
		    err_usage(e, "%s is of Chroma %s, which has no databases; "
		    "give --tenant=" DEFAULT_TENANT " --database="
		    DEFAULT_DATABASE, err_tail(g->dir), g->to.era.releases);
	got = db_gives(db, "SELECT 1 FROM databases WHERE tenant_id = ?1 AND "
	    "name = ?2", slice_str(of->tenant), slice_str(of->database), e);
	if (got != 0 || g->o->create)
		return got < 0 ? -1 : 0;
	names(db, "SELECT tenant_id || '/' || name FROM databases ORDER BY 1",
	    &there);
	err_usage(e, "no database %s/%s; there are %s; make it with --create, "
	    "or name another one with --database and --tenant", of->tenant,
	    of->database, buf_str(&there));
	buf_release(&there);
	return -1;
}

/* The collection of the target that has this name. */
static struct collection *
find_named(const struct graft *g, const struct graft_of *of)
{
	size_t i;

	for (i = 0; i < g->to.n; i++) {
		struct collection *c = &g->to.collection[i];

		if (strcmp(c->name, of->name) == 0 &&
		    strcmp(c->tenant ? c->tenant : DEFAULT_TENANT,
		    of->tenant) == 0 && strcmp(c->database ? c->database :
		    DEFAULT_DATABASE, of->database) == 0)
			return c;
	}
	return NULL;
}

static int
check_name(struct graft *g, struct graft_of *of, struct err *e)
{
	struct collection *there = find_named(g, of);
	const struct graft_of *x;

	for (x = g->of; x < of; x++)
		if (strcmp(x->name, of->name) == 0 &&
		    strcmp(x->tenant, of->tenant) == 0 &&
		    strcmp(x->database, of->database) == 0)
			return err_usage(e, "two collections of the snapshot "
			    "would be %s/%s/%s; choose one with --collection",
			    of->tenant, of->database, of->name);
	of->replaced = there;
	if (!there)
		return 0;
	if (!g->o->replace)
		return err_usage(e, "%s has a collection %s/%s/%s; give it "
		    "another name with --as=NAME, or use --replace",
		    err_tail(g->dir), of->tenant, of->database, of->name);
	if (there->ambiguous)
		return err_data(e, "collection %s: %s", there->name,
		    there->ambiguous);
	there->selected = true;
	g->replaced++;
	return 0;
}

/* The id that it has, unless something in the target has that, or has left it
 * behind. */
static int
choose_id(struct graft *g, struct db *db, struct graft_of *of, struct err *e)
{
	static const char *const used[] = {
		"SELECT 1 FROM collections WHERE id = ?1",
		"SELECT 1 FROM segments WHERE collection = ?1",
		"SELECT 1 FROM collection_metadata WHERE collection_id = ?1",
		"SELECT 1 FROM embeddings_queue WHERE topic = '" TOPIC_HEAD
		    "' || ?1",
	};
	const char *id = of->from->id;
	const struct graft_of *x;
	bool taken = !uuid_is(slice_str(id));
	size_t i;

	for (x = g->of; x < of; x++)
		taken |= strcmp(x->id, id) == 0;
	if (of->replaced && strcmp(of->replaced->id, id) == 0)
		taken = false;
	else
		for (i = 0; !taken && i < sizeof(used) / sizeof(used[0]); i++) {
			int got = db_gives(db, used[i], slice_str(id),
			    (struct slice){ NULL, 0 }, e);

			if (got < 0)
				return -1;
			taken = got;
		}
	if (taken)
		return uuid_new(of->id, e);
	memcpy(of->id, id, UUID_LEN + 1);
	return 0;
}

static void
name_one(const struct graft *g, struct graft_of *of,
    const struct collection *c)
{
	const struct manifest *m = &g->unpack.manifest;
	const struct graft_options *o = g->o;
	size_t i;

	*of = (struct graft_of){ .from = c };
	for (i = 0; i < m->collections; i++)
		if (strcmp(m->collection[i].id, c->id) == 0) {
			of->records = m->collection[i].records;
			of->rows = m->collection[i].rows;
		}
	of->name = o->as ? o->as : c->name;
	of->tenant = o->tenant ? o->tenant : c->tenant ? c->tenant :
	    DEFAULT_TENANT;
	of->database = o->database ? o->database : c->database ? c->database :
	    DEFAULT_DATABASE;
}

static int
check_era(const struct graft *g, struct err *e)
{
	const struct era *to = &g->to.era, *from = &g->from.era;

	return from->sysdb <= to->sysdb && from->metadb <= to->metadb &&
	    from->queue <= to->queue ? 0 : err_data(e, "the snapshot is of "
	    "Chroma %s and %s of %s: open that once with a Chroma of the "
	    "snapshot's, which brings it level, then again", from->releases,
	    err_tail(g->dir), to->releases);
}

int
graftplan(struct graft *g, struct db *db, struct err *e)
{
	size_t i, n = 0;

	if (check_era(g, e) < 0)
		return -1;
	free(g->of);
	g->of = calloc(g->n + 1, sizeof(*g->of));
	if (!g->of)
		return err_nomem(e);
	g->replaced = 0;
	for (i = 0; i < g->to.n; i++)
		g->to.collection[i].selected = false;
	for (i = 0; i < g->from.n; i++) {
		struct graft_of *of = &g->of[n];

		if (!g->from.collection[i].selected)
			continue;
		name_one(g, of, &g->from.collection[i]);
		n++;
		if (check_name(g, of, e) < 0 ||
		    check_database(g, db, of, e) < 0)
			return -1;
		if (g->made)
			snprintf(of->id, sizeof(of->id), "%s", of->from->id);
		else if (choose_id(g, db, of, e) < 0)
			return -1;
	}
	return 0;
}
