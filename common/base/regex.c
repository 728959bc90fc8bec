/* SPDX-License-Identifier: Apache-2.0 */
/* regex.c - is there a match of a regular expression in a text.
 *
 * The program (regexprog.h) is run as a deterministic automaton whose states
 * are made when a text first asks for them: sets of instructions that wait for
 * a character, or for the next one to decide an assertion.  When the cache is
 * full it is thrown away; when that happens all the time the sets are worked
 * out for each character instead.
 */
#include "base/regex.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/regexcheck.h"
#include "base/regexparse.h"
#include "base/regexprog.h"
#include "base/regexstep.h"
#include "base/utf8.h"

#define UNKNOWN		0u	/* in the table: not worked out yet */
#define ACCEPT		1u	/* there is a match */
#define DEAD		2u	/* there will be none */
#define FIRST		4u	/* states from here on: at least one row in */

#define TABLE_MAX	(REGEX_CACHE_MAX / 8)	/* entries */
#define POOL_MAX	(REGEX_CACHE_MAX / 8)
#define CLASSES_CACHED	4096	/* rows of more classes are not worth it */
#define SLOW_BYTES	8	/* nor if they are worth that few */

struct state {
	uint32_t from, n;	/* its instructions, in the pool */
	uint32_t hash;
	uint32_t next;		/* in the chain of its slot; 0: last */
	uint8_t before;		/* what the character before was */
};

struct regex {
	struct regexprog p;
	struct regexstep s;
	uint32_t *current;	/* owned: the set, where there is no cache */

	uint32_t stride;	/* entries in a row: a class each, the end */
	uint32_t *table;	/* owned: rows; state i has the i-th */
	struct state *states;	/* owned; [1, nstates) */
	uint32_t nstates, states_cap;
	uint32_t *pool;		/* owned */
	uint32_t pool_n, pool_cap;
	uint32_t *slots;	/* owned: states by hash */
	uint32_t nslots;
	uint32_t start;		/* entry of the first state; UNKNOWN */
	bool uncached;		/* for good */
};

/* The class of the character at *p, which is moved behind it. */
static inline uint32_t
next_class(const struct regexprog *p, const unsigned char **at,
    const unsigned char *end)
{
	uint32_t c = **at;
	bool surrogate;
	size_t n;

	if (ATTR_LIKELY(c < 0x80)) {
		++*at;
		return p->map[c];	/* the first block is the first */
	}
	n = utf8_sequence((const char *)*at, (size_t)(end - *at), &c,
	    &surrogate);
	if (n == 0) {
		++*at;
		return 0;
	}
	*at += n;
	return regexprog_class(p, c);
}

/* ---- without a cache ---- */

static int
search_slowly(struct regex *r, const uint32_t *v, uint32_t n, unsigned before,
    const unsigned char *p, const unsigned char *end)
{
	uint32_t class;

	memmove(r->current, v, n * sizeof(*v));
	while (p < end) {
		class = next_class(&r->p, &p, end);
		if (regexstep(&r->s, r->current, n, before, class))
			return 1;
		n = r->s.then.n;
		memcpy(r->current, r->s.then.v, n * sizeof(*r->current));
		if (n == 0 && r->p.anchored)
			return 0;
		before = r->p.kind[class];
	}
	return regexstep(&r->s, r->current, n, before, r->p.nclasses);
}

/* ---- with it ---- */

static void
forget(struct regex *r)
{
	r->nstates = 1;
	r->pool_n = 0;
	r->start = UNKNOWN;
	if (r->nslots)
		memset(r->slots, 0, r->nslots * sizeof(*r->slots));
}

/* Room for one more state with n instructions: 1; 0 when the cache is full; -1
 * without memory. */
static int
room(struct regex *r, uint32_t n)
{
	if (r->nstates >= r->states_cap) {
		uint32_t cap = r->states_cap ? r->states_cap * 2 : 16;
		uint32_t max = TABLE_MAX / r->stride, i;
		struct state *states;
		uint32_t *table, *slots;

		if (cap > max)
			cap = max;
		if (r->nstates >= cap)
			return 0;
		states = realloc(r->states, cap * sizeof(*states));
		if (states)
			r->states = states;
		table = realloc(r->table,
		    (size_t)cap * r->stride * sizeof(*table));
		if (table)
			r->table = table;
		slots = calloc((size_t)cap, sizeof(*slots));
		if (!states || !table || !slots) {
			free(slots);
			return -1;
		}
		free(r->slots);
		r->slots = slots;
		r->nslots = r->states_cap = cap;
		for (i = 1; i < r->nstates; i++) {
			uint32_t *slot = &slots[r->states[i].hash % cap];

			r->states[i].next = *slot;
			*slot = i;
		}
	}
	if (r->pool_cap - r->pool_n < n) {
		uint32_t cap = r->pool_cap ? r->pool_cap : 1024, *pool;

		while (cap - r->pool_n < n && cap < POOL_MAX)
			cap *= 2;
		if (cap - r->pool_n < n)
			return 0;
		pool = realloc(r->pool, cap * sizeof(*pool));
		if (!pool)
			return -1;
		r->pool = pool;
		r->pool_cap = cap;
	}
	return 1;
}

/* Whether the state's instructions are those of r->s.then. */
static bool
is_then(const struct regex *r, const struct state *s, uint32_t hash,
    uint8_t before)
{
	uint32_t i;

	if (s->hash != hash || s->n != r->s.then.n || s->before != before)
		return false;
	for (i = 0; i < s->n; i++)
		if (r->s.then.stamp[r->pool[s->from + i]] !=
		    r->s.then.generation)
			return false;
	return true;
}

/* The entry of the state with the instructions of r->s.then, behind a character
 * of the kind before, made if need be; UNKNOWN when the cache is full; -1
 * without memory. */
static int64_t
intern(struct regex *r, unsigned kind)
{
	uint8_t before = (uint8_t)(kind & r->p.kinds);
	uint32_t hash = r->s.then.n ^ (uint32_t)before << 24, i, *slot;
	struct state *s;
	int has;

	if (r->s.then.n == 0 && r->p.anchored)
		return DEAD;
	for (i = 0; i < r->s.then.n; i++)	/* in any order */
		hash += (r->s.then.v[i] + 1) * 0x9e3779b1u ^
		    (r->s.then.v[i] + 1) * 0x85ebca6bu >> 15;
	if (r->nslots) {
		for (i = r->slots[hash % r->nslots]; i; i = s->next) {
			s = &r->states[i];
			if (is_then(r, s, hash, before))
				return (int64_t)i * r->stride;
		}
	}
	has = room(r, r->s.then.n);
	if (has <= 0)
		return has;	/* 0 is UNKNOWN */
	slot = &r->slots[r->nslots ? hash % r->nslots : 0];
	i = r->nstates++;
	r->states[i] = (struct state){ r->pool_n, r->s.then.n, hash, *slot,
		before };
	*slot = i;
	if (r->s.then.n)
		memcpy(r->pool + r->pool_n, r->s.then.v,
		    r->s.then.n * sizeof(*r->pool));
	r->pool_n += r->s.then.n;
	memset(r->table + (size_t)i * r->stride, 0,
	    r->stride * sizeof(*r->table));
	return (int64_t)i * r->stride;
}

/* What follows the state (by its entry) over the class: ACCEPT, DEAD, a state,
 * UNKNOWN when the cache was full: then r->s.then is what follows, and the
 * cache is empty.  -1 without memory. */
static int64_t
work_out(struct regex *r, uint32_t entry, uint32_t class)
{
	const struct state *s = &r->states[entry / r->stride];
	int64_t to;

	if (regexstep(&r->s, r->pool + s->from, s->n, s->before, class))
		to = ACCEPT;
	else if (class == r->p.nclasses)
		to = DEAD;
	else
		to = intern(r, r->p.kind[class]);
	if (to > UNKNOWN)
		r->table[entry + class] = (uint32_t)to;
	else if (to == UNKNOWN)
		forget(r);
	return to;
}

static int64_t
first_state(struct regex *r)
{
	int64_t to = r->start;

	if (to != UNKNOWN)
		return to;
	regexstep_begin(&r->s);
	to = r->s.then.match ? ACCEPT : intern(r, REGEXPROG_START);
	if (to == UNKNOWN) {
		forget(r);
		to = intern(r, REGEXPROG_START);
	}
	if (to > 0)
		r->start = (uint32_t)to;
	return to;
}

/* Where the literal that a match begins with comes next; NULL if nowhere. */
static const unsigned char *
literal(const struct regex *r, const unsigned char *p,
    const unsigned char *end)
{
	return memmem(p, (size_t)(end - p), r->p.literal.p, r->p.literal.len);
}

static int
search(struct regex *r, const unsigned char *p, const unsigned char *end,
    struct err *e)
{
	const unsigned char *full = p;	/* where the cache was last empty */
	uint32_t idle = UNKNOWN, class, s, next, made;
	int64_t to = first_state(r);

	if (to <= DEAD)
		return to < 0 ? err_nomem(e) : to == ACCEPT;
	s = (uint32_t)to;
	if (r->p.literal_first && !r->p.kinds)
		idle = s;
	while (p < end) {
		if (s == idle) {
			p = literal(r, p, end);
			if (!p)
				return 0;
		}
		class = next_class(&r->p, &p, end);
		next = r->table[s + class];
		if (ATTR_LIKELY(next >= FIRST)) {
			s = next;
			continue;
		}
		made = r->nstates;
		to = next ? next : work_out(r, s, class);
		if (to == UNKNOWN) {
			if ((size_t)(p - full) < (size_t)made * SLOW_BYTES)
				return search_slowly(r, r->s.then.v,
				    r->s.then.n, r->p.kind[class], p, end);
			full = p;
			idle = UNKNOWN;
			to = intern(r, r->p.kind[class]);
		}
		if (to <= DEAD)
			return to < 0 ? err_nomem(e) : to == ACCEPT;
		s = (uint32_t)to;
	}
	to = r->table[s + r->p.nclasses];
	if (to == UNKNOWN)
		to = work_out(r, s, r->p.nclasses);
	return to < 0 ? err_nomem(e) : to == ACCEPT;
}

int
regex_matches(struct regex *r, struct slice text, struct err *e)
{
	const unsigned char *p, *end;

	if (!text.p)
		text = slice_str("");
	p = (const unsigned char *)text.p;
	end = p + text.len;
	if (r->p.literal.len) {
		const unsigned char *at = literal(r, p, end);

		if (!at || r->p.literal_all)
			return at != NULL;
		if (r->p.literal_first && !r->p.kinds)
			p = at;
	}
	if (r->uncached) {
		regexstep_begin(&r->s);
		return r->s.then.match || search_slowly(r, r->s.then.v,
		    r->s.then.n, REGEXPROG_START, p, end);
	}
	return search(r, p, end, e);
}

/* ---- making and freeing ---- */

static int
make_rooms(struct regex *r, struct err *e)
{
	if (r->p.literal_all)
		return 0;
	r->stride = r->p.nclasses + 1;
	if (r->stride < FIRST)
		r->stride = FIRST;
	r->uncached = r->p.nclasses > CLASSES_CACHED;
	r->current = malloc(r->p.n * sizeof(*r->current));
	if (!r->current || regexstep_init(&r->s, &r->p) < 0)
		return err_nomem(e);
	forget(r);
	return 0;
}

int
regex_compile(struct regex **out, struct slice pattern, struct err *e)
{
	struct regexparse_tree t;
	struct regex *r = calloc(1, sizeof(*r));
	int bad;

	*out = NULL;
	if (!r)
		return err_nomem(e);
	bad = regexparse(&t, pattern, e);
	if (bad == 0)
		bad = regexcheck(&t, e);
	if (bad == 0)
		bad = regexprog_make(&r->p, &t, e);
	regexparse_release(&t);
	if (bad == 0)
		bad = make_rooms(r, e);
	if (bad < 0) {
		regex_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

void
regex_free(struct regex *r)
{
	if (!r)
		return;
	regexprog_release(&r->p);
	regexstep_release(&r->s);
	free(r->current);
	free(r->table);
	free(r->states);
	free(r->pool);
	free(r->slots);
	free(r);
}
