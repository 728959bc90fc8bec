/* SPDX-License-Identifier: Apache-2.0 */
/* elements.c - the elements of an index: mapped, checked, found by id. */
#include "chroma/elements.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/le.h"
#include "base/num.h"

#define LEVEL_MAX 64
#define DELETED 1		/* the bit in an element's byte 2 */

/* Elements may be mostly holes (vectors of zeros in a sparse copy), but work
 * must stay in proportion to what is on disk. */
#define SPARSE_MAX 128

/* Of 1 / ln(M), which is written from a double. */
#define MULT_TOLERANCE 1e-6

/* Of a stored vector's norm: float32 sums of 65536 squares are that far off at
 * most; an index of another space is much further. */
#define UNIT_TOLERANCE 1e-3

/* Of a vector, below which the squares of its numbers lose their digits in
 * float32. */
#define TINY_LENGTH 1e-17

/* What is stored of a vector of length 0 that is not of zeros is greater. */
#define TINY_STORED 1e6

/* Of a vector multiplied by its length again, in norms of the vector. */
#define SAME_TOLERANCE 1e-5

/* What is needed while an index is checked. */
struct check {
	struct elements *el;
	const struct index_header *h;
	uint8_t *level;		/* of each readable element */
	uint32_t *stamp;	/* ... the last list that linked to it */
	uint32_t tick;		/* the number of this list */
	uint64_t leveled;	/* elements whose upper links can be read */
	bool vectors;
};

/* Remember the first fault, with the file it is in. */
static void ATTR_PRINTF(3, 4)
fault(struct elements *el, enum index_file f, const char *fmt, ...)
{
	struct err *to = &el->found.fault;
	char why[ERR_MSG_SIZE / 2];
	va_list ap;

	if (to->status)
		return;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	err_data(to, "%s: %s", index_file_name[f], why);
}

/* ---- the two tables ---- */

static uint64_t
mix(const struct elements *el, uint64_t h, uint64_t v)
{
	h = (h ^ v ^ el->seed[0]) * el->seed[1];
	return h ^ h >> 32;
}

static uint64_t
hash_id(const struct elements *el, struct slice id)
{
	uint64_t h = id.len, last = 0;

	for (; id.len >= 8; id.p += 8, id.len -= 8)
		h = mix(el, h, le_u64(id.p));
	if (id.len)
		memcpy(&last, id.p, id.len);
	return mix(el, mix(el, h, last), 0);
}

/* The slot of an id, or the empty one where it belongs. */
static uint32_t *
id_slot(const struct elements *el, struct slice id)
{
	const struct pickle_pair *pair = el->pickle.id_to_label.pair;
	uint64_t i = hash_id(el, id);
	uint32_t *slot;

	for (;; i++) {
		slot = &el->by_id[i & el->id_mask];
		if (!*slot || slice_eq(pair[*slot - 1].id, id))
			return slot;
	}
}

static const uint8_t *
element(const struct elements *el, uint64_t internal)
{
	return el->level0 + internal * el->dir.header.size_data_per_element;
}

static bool
is_deleted(const struct elements *el, uint64_t internal)
{
	return element(el, internal)[2] & DELETED;
}

/* Labels mostly follow each other: a product of theirs spreads them evenly. */
static uint32_t *
label_slot(const struct elements *el, uint64_t label)
{
	uint64_t i = ((label ^ el->seed[0]) * el->seed[1]) >> 32;
	uint32_t *slot;

	for (;; i++) {
		slot = &el->by_label[i & el->label_mask];
		if (!*slot || el->label[*slot - 1] == label)
			return slot;
	}
}

/* A table for n entries, at most two thirds full. */
static uint32_t *
new_table(uint64_t n, uint64_t *mask)
{
	uint64_t slots = 8;

	while (slots < n + n / 2 + 1)
		slots *= 2;
	*mask = slots - 1;
	return calloc(slots, sizeof(uint32_t));
}

/* Who makes up ids or labels cannot know where they will collide. */
static void
make_seed(uint64_t seed[2])
{
	if (getentropy(seed, 2 * sizeof(*seed)) < 0) {
		seed[0] = UINT64_C(0x9e3779b97f4a7c15);
		seed[1] = UINT64_C(0xbf58476d1ce4e5b9);
	}
	seed[1] |= 1;
}

/* ---- which elements are there ---- */

/* The first of n elements whose label lies in a hole: it was never written, as
 * labels are not 0.  (Zeros in a vector may well be a hole, in a sparse copy.)
 * *data: bytes that are no holes, up to there. */
static uint64_t
first_unwritten(int fd, const struct index_header *h, uint64_t n,
    uint64_t *data)
{
	uint64_t size = h->size_data_per_element, end = n * size;
	uint64_t pos = 0, hole, next, k;
	off_t at;

	*data = 0;
	while (pos < end) {
		at = lseek(fd, (off_t)pos, SEEK_HOLE);
		hole = at < 0 || (uint64_t)at > end ? end : (uint64_t)at;
		*data += hole - pos;
		if (hole == end)
			break;
		at = lseek(fd, (off_t)hole, SEEK_DATA);
		next = at < 0 || (uint64_t)at > end ? end : (uint64_t)at;
		k = hole <= h->label_offset ? 0 :
		    (hole - h->label_offset + size - 1) / size;
		if (k * size + h->label_offset + 8 <= next)
			return k;
		pos = next;
	}
	return n;
}

/* Bytes of the first size that are no holes. */
static uint64_t
data_in(int fd, uint64_t size)
{
	uint64_t pos = 0, hole, data = 0;
	off_t at;

	while (pos < size && (at = lseek(fd, (off_t)pos, SEEK_DATA)) >= 0 &&
	    (uint64_t)at < size) {
		pos = (uint64_t)at;
		at = lseek(fd, at, SEEK_HOLE);
		hole = at < 0 || (uint64_t)at > size ? size : (uint64_t)at;
		data += hole - pos;
		pos = hole;
	}
	return data;
}

static int
map_file(struct elements *el, enum index_file f, uint64_t want,
    const uint8_t **p, size_t *n, struct err *e)
{
	const char *name = index_file_name[f];
	int fd = openat(el->dir.fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *at;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_system(e, "%s", name);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (want > (uint64_t)st.st_size)
		want = (uint64_t)st.st_size;	/* cut since */
	*n = (size_t)want;
	if (want > 0) {
		at = mmap(NULL, *n, PROT_READ, MAP_SHARED, fd, 0);
		if (at == MAP_FAILED) {
			err_system(e, "%s", name);
			close(fd);
			return -1;
		}
		*p = at;
	}
	close(fd);
	return 0;
}

/* How many elements can be read, of those that the header counts. */
static int
find_readable(struct elements *el, struct err *e)
{
	const struct index_header *h = &el->dir.header;
	uint64_t n = h->cur_element_count, data;
	uint64_t there = el->dir.size[INDEX_LEVEL0] / h->size_data_per_element;
	int fd;

	if (n >= UINT32_MAX)
		n = UINT32_MAX - 1;	/* a slot holds the number plus 1 */
	if (n > there)
		n = there;
	if (n == 0)
		return 0;
	fd = openat(el->dir.fd, index_file_name[INDEX_LEVEL0],
	    O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_system(e, "%s", index_file_name[INDEX_LEVEL0]);
	el->readable = first_unwritten(fd, h, n, &data);
	if (el->readable < n)
		fault(el, INDEX_LEVEL0, "element %" PRIu64 " lies in a hole of "
		    "the file: never written", el->readable);
	if (el->readable * h->size_data_per_element / SPARSE_MAX > data) {
		fault(el, INDEX_LEVEL0, "%" PRIu64 " elements in %" PRIu64
		    " bytes, and the rest holes: corrupt", el->readable, data);
		el->readable = 0;
	} else if (el->all && el->readable < n &&
	    n * h->size_data_per_element / SPARSE_MAX <= data_in(fd,
	    n * h->size_data_per_element)) {
		el->readable = n;	/* those in holes are blank */
	}
	close(fd);
	return 0;
}

/* Map what can be read.  Only cosine has lengths. */
static int
map_files(struct elements *el, struct err *e)
{
	const struct index_header *h = &el->dir.header;
	uint64_t n, most;

	if (el->dir.there[INDEX_LEVEL0] && find_readable(el, e) < 0)
		return -1;
	n = el->readable;
	if (n > 0 && map_file(el, INDEX_LEVEL0, n * h->size_data_per_element,
	    &el->level0, &el->level0_n, e) < 0)
		return -1;
	el->readable = n = el->level0_n / h->size_data_per_element;
	if (n > 0 && el->dir.there[INDEX_LENGTH] &&
	    el->space == SPACE_COSINE && map_file(el, INDEX_LENGTH, 4 * n,
	    &el->length, &el->length_n, e) < 0)
		return -1;
	el->lengths = el->length_n / 4;
	/* its size may be anything: seen in the wild, terabytes of holes */
	most = n * (4 + LEVEL_MAX * (4 + 4 * h->maxM));
	return n > 0 && el->dir.there[INDEX_LINKS] ? map_file(el, INDEX_LINKS,
	    most, &el->links, &el->links_n, e) : 0;
}

/* ---- vectors ---- */

#define LANES 8			/* sums side by side, for the compiler */

/* The sum of the squares of n float32: not finite just if one of them is
 * not, as squares of float32 are small for a double. */
static double
sum_squares(const uint8_t *p, uint64_t n)
{
	double s[LANES] = { 0 }, sum = 0, x;
	uint64_t i, k;

	for (i = 0; i + LANES <= n; i += LANES)
		for (k = 0; k < LANES; k++) {
			x = (double)le_f32(p + 4 * (i + k));
			s[k] += x * x;
		}
	for (; i < n; i++) {
		x = (double)le_f32(p + 4 * i);
		s[0] += x * x;
	}
	for (k = 0; k < LANES; k++)
		sum += s[k];
	return sum;
}

/* Whether each number times length is within a tolerance of the vector's. */
static bool
near(const uint8_t *stored, float length, const uint8_t *vector, uint64_t n,
    float tolerance)
{
	uint32_t far = 0;
	uint64_t i;

	for (i = 0; i < n; i++)
		far |= !(fabsf(le_f32(stored + 4 * i) * length -
		    le_f32(vector + 4 * i)) <= tolerance);
	return !far;
}

/* Whether these are the bits that Chroma stores for the vector in a cosine
 * index, by the same float32 steps; and whether they say what it was: where its
 * length is more than float32 can hold, they are zeros. */
static bool
normalised(const uint8_t *stored, uint32_t length, const uint8_t *vector,
    uint64_t n)
{
	float sum = 0, x;
	uint64_t i;
	uint8_t bits[4];

	for (i = 0; i < n; i++) {
		x = le_f32(vector + 4 * i);
		sum += x * x;
	}
	sum = sqrtf(sum);
	le_put_f32(bits, sum);
	if (!isfinite(sum) || le_u32(bits) != length)
		return false;
	sum = 1.0f / (sum + 1e-30f);
	for (i = 0; i < n; i++) {
		le_put_f32(bits, le_f32(vector + 4 * i) * sum);
		if (memcmp(bits, stored + 4 * i, 4) != 0)
			return false;
	}
	return true;
}

static bool
same_direction(const uint8_t *stored, const uint8_t *length,
    const uint8_t *vector, uint64_t n)
{
	double norm = sqrt(sum_squares(vector, n)), l = (double)le_f32(length);

	if (isfinite(norm) && fabs(l - norm) <= SAME_TOLERANCE * norm &&
	    near(stored, (float)l, vector, n, (float)(SAME_TOLERANCE * norm)))
		return norm > 0 || sum_squares(stored, n) == 0;
	return normalised(stored, le_u32(length), vector, n);
}

bool
elements_holds(const struct elements *el, uint32_t internal,
    const uint8_t *vector, uint64_t dim)
{
	const uint8_t *stored;

	if (internal >= el->readable || dim != el->dir.header.dim)
		return false;
	stored = element(el, internal) + el->dir.header.offsetData;
	switch (el->space) {
	case SPACE_L2:
	case SPACE_IP:
		return memcmp(stored, vector, (size_t)(4 * dim)) == 0;
	case SPACE_COSINE:
		return el->length_n / 4 > internal && same_direction(stored,
		    el->length + 4 * (size_t)internal, vector, dim);
	case SPACE_UNKNOWN:
		break;
	}
	return false;
}

/* Whether hnswlib has stored such a norm with such a length: x times 1 /
 * (length + 1e-30), so about 1, but for vectors that are so large or so small
 * that the sum of their squares is none in float32: then they are divided by
 * infinity, or by 1e-30.  (Such a one of a norm up to TINY_STORED / 1e30 cannot
 * be told from one whose length a damage made 0, which is more likely.) */
static bool
possible(double norm, double length)
{
	if (!(length >= 0))
		return false;
	if (isinf(length))
		return norm == 0;
	if (length == 0)
		return norm == 0 || norm > TINY_STORED;
	if (length < TINY_LENGTH)
		return true;
	return fabs(norm - 1) <= UNIT_TOLERANCE;
}

/* One live vector: its numbers, and in a cosine index its norm. */
static void
check_vector(struct elements *el, uint64_t i)
{
	double sum = sum_squares(element(el, i) + el->dir.header.offsetData,
	    el->dir.header.dim), length;

	if (!isfinite(sum)) {
		el->found.not_finite++;
		return;
	}
	if (el->space != SPACE_COSINE || el->length_n / 4 <= i)
		return;
	length = (double)le_f32(el->length + 4 * i);
	if (!possible(sqrt(sum), length) && el->found.bad_lengths++ == 0)
		el->found.bad_length_at = i;
	if (!isfinite(length) || length < 0 || (length == 0 ? sum > 0 :
	    !(fabs(sqrt(sum) - length / (length + 1e-30)) <= UNIT_TOLERANCE)))
		el->found.not_unit++;
}

/* ---- links ---- */

/* link_lists.bin must be the elements' lists and nothing else; what they link
 * to is looked at when all levels are known. */
static void
check_levels(struct check *c)
{
	struct elements *el = c->el;
	uint64_t per_level = 4 + 4 * c->h->maxM, used = 0, i;
	uint64_t size = el->dir.size[INDEX_LINKS];
	uint32_t n;

	for (i = 0; i < el->readable && el->links_n - used >= 4; i++) {
		n = le_u32(el->links + used);
		if (n % per_level || n / per_level > LEVEL_MAX ||
		    n > el->links_n - used - 4) {
			fault(el, INDEX_LINKS, "+%" PRIu64 ": %u bytes of "
			    "links for element %" PRIu64 ": corrupt", used, n,
			    i);
			break;
		}
		c->level[i] = (uint8_t)(n / per_level);
		if (c->level[i] > el->found.max_level)
			el->found.max_level = c->level[i];
		used += 4 + n;
	}
	c->leveled = el->leveled = i;
	el->found.links_size = used;
	if (i < c->h->cur_element_count)
		fault(el, INDEX_LINKS, "ends at element %" PRIu64 " of %" PRIu64,
		    i, c->h->cur_element_count);
	else if (used != size)
		fault(el, INDEX_LINKS, "%" PRIu64 " bytes, of which %" PRIu64
		    " are links: grown without reason", size, used);
}

/* What is wrong with the links of element self on one level, or NULL. */
static const char *
links_fault(struct check *c, const uint8_t *list, uint64_t max, unsigned level,
    uint64_t self)
{
	uint64_t n = le_u16(list), count = c->el->readable, i;
	uint32_t to;

	if (n > max)
		return "more links than M allows";
	if (++c->tick == 0) {
		memset(c->stamp, 0, count * sizeof(*c->stamp));
		c->tick = 1;
	}
	for (i = 0; i < n; i++) {
		to = le_u32(list + 4 + 4 * i);
		if (to >= count)
			return "a link to an element that is not there";
		if (to == self)
			return "a link to itself";
		if (c->level[to] < level)
			return "a link to an element that is not on that level";
		if (c->stamp[to] == c->tick)
			return "the same link twice";
		c->stamp[to] = c->tick;
	}
	return NULL;
}

/* All links of element i, whose upper ones begin at offset *pos. */
static void
check_links(struct check *c, uint64_t i, uint64_t *pos)
{
	struct elements *el = c->el;
	uint64_t per_level = 4 + 4 * c->h->maxM;
	const char *why = links_fault(c, element(el, i), c->h->maxM0, 0, i);
	unsigned level;

	if (why)
		fault(el, INDEX_LEVEL0, "element %" PRIu64 ": %s", i, why);
	el->found.bad_links += why != NULL;
	if (i >= c->leveled)
		return;
	for (level = 1; level <= c->level[i]; level++) {
		const char *w = links_fault(c, el->links + *pos + 4 +
		    (level - 1) * per_level, c->h->maxM, level, i);

		if (!w)
			continue;
		fault(el, INDEX_LINKS, "+%" PRIu64 ": element %" PRIu64
		    ", level %u: %s", *pos, i, level, w);
		el->found.bad_links += why == NULL;
		why = w;
	}
	*pos += 4 + c->level[i] * per_level;
}

static void
check_entry(struct check *c)
{
	const struct index_header *h = c->h;
	struct elements *el = c->el;
	int level;

	if (!el->dir.has_header || h->cur_element_count == 0 ||
	    c->leveled < h->cur_element_count)
		return;
	level = c->level[h->enterpoint_node];
	if (level != h->maxlevel || el->found.max_level != h->maxlevel)
		fault(el, INDEX_HEADER, "+52: level %d, entry point %u, but "
		    "that element has level %d and the highest is %d: corrupt",
		    h->maxlevel, h->enterpoint_node, level,
		    el->found.max_level);
}

/* ---- elements ---- */

static bool
test_and_set(uint8_t *bits, uint64_t i)
{
	bool was = bits[i / 8] >> (i % 8) & 1;

	bits[i / 8] |= (uint8_t)(1u << (i % 8));
	return was;
}

static void
check_label(struct elements *el, uint64_t i)
{
	uint64_t label = le_u64(element(el, i) + el->dir.header.label_offset);
	uint64_t total = (uint64_t)el->pickle.total_elements_added;
	uint32_t *slot = label_slot(el, label);

	el->label[i] = label;
	if (el->has_pickle && label > total) {
		el->found.high_labels++;
		fault(el, INDEX_LEVEL0, "element %" PRIu64 ": label %" PRIu64
		    ", but only %" PRIu64 " were given: the next adds overwrite "
		    "it", i, label, total);
	}
	if (!*slot) {
		*slot = (uint32_t)i + 1;
		return;
	}
	el->found.same_labels++;
	fault(el, INDEX_LEVEL0, "element %" PRIu64 ": label %" PRIu64
	    ", which element %u has, too", i, label, *slot - 1);
	if (is_deleted(el, *slot - 1) && !is_deleted(el, i))
		*slot = (uint32_t)i + 1;
}

static void
check_elements(struct check *c)
{
	struct elements *el = c->el;
	uint64_t i, pos = 0;

	for (i = 0; i < el->readable; i++) {
		const uint8_t *p = element(el, i);

		check_links(c, i, &pos);
		if (p[2] & ~DELETED || p[3]) {
			el->found.bad_flags++;
			fault(el, INDEX_LEVEL0, "element %" PRIu64 ": flags "
			    "0x%02x%02x", i, p[3], p[2]);
		}
		check_label(el, i);
		if (p[2] & DELETED)
			el->found.deleted += !test_and_set(el->taken, i);
		else if (c->vectors)
			check_vector(el, i);
	}
	el->found.elements = i;
}

/* ---- the pickle ---- */

/* Every id into its table, and the element that it names is its own. */
static void
check_ids(struct elements *el)
{
	const struct pickle_map *map = &el->pickle.id_to_label;
	uint64_t found = 0;
	size_t i;

	for (i = 0; i < map->n; i++) {
		uint32_t *slot = id_slot(el, map->pair[i].id), at;
		int64_t label = map->pair[i].number;

		if (*slot) {
			el->found.bad_pairs++;
			fault(el, INDEX_PICKLE, "entry %zu of id_to_label has "
			    "the id of another one", i);
			continue;
		}
		*slot = (uint32_t)i + 1;
		at = el->readable ? *label_slot(el, (uint64_t)label) : 0;
		if (at && !test_and_set(el->taken, at - 1)) {
			found++;
			continue;
		}
		el->found.missing_labels++;
		fault(el, INDEX_PICKLE, "entry %zu of id_to_label: label %"
		    PRId64 ", which %s", i, label, !at ? "no element has" :
		    is_deleted(el, at - 1) ? "only a deleted element has" :
		    "another id has, too");
	}
	el->found.orphan_labels = el->found.elements - el->found.deleted -
	    found;
	if (el->found.orphan_labels)
		fault(el, INDEX_LEVEL0, "%" PRIu64 " live elements that no id "
		    "names", el->found.orphan_labels);
}

/* The number of an id in id_to_label, or SIZE_MAX. */
static size_t
number_of(const struct elements *el, struct slice id)
{
	uint32_t at = *id_slot(el, id);

	return at ? at - 1 : SIZE_MAX;
}

/* label_to_id the other way round, and id_to_seq_id, which Python needs for
 * every id that it deletes. */
static int
check_inverse(struct elements *el, struct err *e)
{
	const struct pickle *k = &el->pickle;
	const struct pickle_map *to = &k->id_to_label, *from = &k->label_to_id;
	uint8_t *seen = calloc(2, to->n / 8 + 1), *numbered;
	size_t i, at, matched = 0, unnumbered = to->n;

	if (!seen)
		return err_nomem(e);
	numbered = seen + (to->n / 8 + 1);
	for (i = 0; i < from->n; i++) {
		at = number_of(el, from->pair[i].id);
		if (at != SIZE_MAX && to->pair[at].number ==
		    from->pair[i].number && !test_and_set(seen, at)) {
			matched++;
			continue;
		}
		el->found.bad_pairs++;
		fault(el, INDEX_PICKLE, "entry %zu of label_to_id: label %"
		    PRId64 " has another id than in id_to_label", i,
		    from->pair[i].number);
	}
	if (to->n > matched) {
		el->found.bad_pairs += to->n - matched;
		fault(el, INDEX_PICKLE, "%zu labels of id_to_label are not in "
		    "label_to_id", to->n - matched);
	}
	for (i = 0; i < k->id_to_seq_id.n; i++) {
		at = number_of(el, k->id_to_seq_id.pair[i].id);
		unnumbered -= at != SIZE_MAX && !test_and_set(numbered, at);
	}
	if (k->class_form && unnumbered)
		fault(el, INDEX_PICKLE, "%zu ids are not in id_to_seq_id: "
		    "Chroma fails when it deletes them", unnumbered);
	free(seen);
	return 0;
}

static void
check_range(struct elements *el, const char *field, int64_t number)
{
	if (number < 0 || number > UINT32_MAX)
		fault(el, INDEX_PICKLE, "%s: %" PRId64 " is no number of 32 "
		    "bits", field, number);
}

/* What any Chroma refuses in a pickle, or takes for something else. */
static void
check_fields(struct elements *el)
{
	const struct pickle *k = &el->pickle;
	const struct index_header *h = &el->dir.header;
	size_t i;

	if (k->trailing)
		fault(el, INDEX_PICKLE, "%zu bytes behind its end; Chroma from "
		    "1.0 on refuses it", k->trailing);
	if (!k->id_to_seq_id.there)
		fault(el, INDEX_PICKLE, "id_to_seq_id is not in it");
	check_range(el, "total_elements_added", k->total_elements_added);
	if (k->has_max_seq_id && k->max_seq_id < 0)
		fault(el, INDEX_PICKLE, "max_seq_id: %" PRId64, k->max_seq_id);
	for (i = 0; i < k->id_to_label.n; i++)
		check_range(el, "id_to_label", k->id_to_label.pair[i].number);
	for (i = 0; i < k->id_to_seq_id.n; i++)
		check_range(el, "id_to_seq_id",
		    k->id_to_seq_id.pair[i].number);
	if (k->has_dimensionality && k->id_to_label.n > 0 &&
	    el->dir.has_header && k->dimensionality != (int64_t)h->dim)
		fault(el, INDEX_PICKLE, "dimensionality %" PRId64 ", but the "
		    "index has %" PRIu64, k->dimensionality, h->dim);
}

/* ---- all of it ---- */

static void
check_header(struct elements *el, int64_t dimension)
{
	const struct index_header *h = &el->dir.header;
	double mult = 1 / log((double)h->M);

	if (h->cur_element_count > h->max_elements)
		fault(el, INDEX_HEADER, "+12: room for %" PRIu64 " elements, "
		    "but %" PRIu64 " are counted", h->max_elements,
		    h->cur_element_count);
	if (h->M > 1 && !(fabs(h->mult - mult) <= MULT_TOLERANCE))
		fault(el, INDEX_HEADER, "+84: mult %g, but with M %" PRIu64
		    " it is %g", h->mult, h->M, mult);
	if (dimension >= 0 && (uint64_t)dimension != h->dim)
		fault(el, INDEX_HEADER, "+36: dimension %" PRIu64 ", but the "
		    "collection has %" PRId64, h->dim, dimension);
}

static int
check_files(struct elements *el, bool vectors, struct err *e)
{
	struct check c = { .el = el, .h = &el->dir.header, .vectors = vectors };
	size_t n;

	if (map_files(el, e) < 0)
		return -1;
	n = (size_t)el->readable;
	c.level = malloc(n + 1);
	c.stamp = calloc(n + 1, sizeof(*c.stamp));
	el->by_label = new_table(n, &el->label_mask);
	el->label = malloc((n + 1) * sizeof(*el->label));
	el->taken = calloc(1, n / 8 + 1);
	if (!c.level || !c.stamp || !el->by_label || !el->label ||
	    !el->taken) {
		free(c.level);
		free(c.stamp);
		return err_nomem(e);
	}
	memset(c.level, LEVEL_MAX, n + 1);	/* unknown: on every level */
	el->found.max_level = c.h->cur_element_count ? 0 : -1;
	if (el->dir.there[INDEX_LINKS])
		check_levels(&c);
	check_entry(&c);
	check_elements(&c);
	el->found.whole = el->readable == c.h->cur_element_count &&
	    c.leveled == el->readable &&
	    el->found.links_size == el->dir.size[INDEX_LINKS];
	free(c.level);
	free(c.stamp);
	return 0;
}

static int
check_pickle(struct elements *el, struct err *e)
{
	struct pickle *k = &el->pickle;
	int r;

	if (k->id_to_label.n >= UINT32_MAX) {
		fault(el, INDEX_PICKLE, "%zu ids: more than an index can have",
		    k->id_to_label.n);
		k->id_to_label.n = 0;	/* none is found */
	}
	el->by_id = new_table(k->id_to_label.n, &el->id_mask);
	if (!el->by_id)
		return err_nomem(e);
	check_ids(el);
	r = check_inverse(el, e);
	free(k->label_to_id.pair);
	free(k->id_to_seq_id.pair);
	k->label_to_id.pair = k->id_to_seq_id.pair = NULL;
	return r;
}

/* A pickle that lists nothing, and no other files: Chroma starts anew, as it
 * does where there is nothing at all. */
static bool
nothing_but_pickle(const struct elements *el)
{
	return el->has_pickle && el->pickle.id_to_label.n == 0 &&
	    !el->dir.there[INDEX_HEADER] && !el->dir.there[INDEX_LEVEL0] &&
	    !el->dir.there[INDEX_LENGTH] && !el->dir.there[INDEX_LINKS];
}

/* M as two fields of a bad header have it, or else as configured. */
static uint64_t
guess_M(const struct elements *el)
{
	const struct index_header *h = &el->dir.header;

	if (h->M > 0 && (h->maxM == h->M || h->maxM0 == 2 * h->M))
		return h->M;
	return h->maxM > 0 && h->maxM0 == 2 * h->maxM ? h->maxM :
	    el->assumed_M;
}

/* The dimension of the collection, the pickle, or the offsets of a bad header;
 * 0: none of them says. */
static uint64_t
guess_dim(const struct elements *el, uint64_t M, int64_t dimension)
{
	const struct index_header *h = &el->dir.header;
	uint64_t links = 4 + 8 * M, by_label = h->label_offset - links;
	uint64_t by_size = h->size_data_per_element - links - 8;

	if (dimension > 0)
		return (uint64_t)dimension;
	if (el->pickle.has_dimensionality && el->pickle.dimensionality > 0)
		return (uint64_t)el->pickle.dimensionality;
	/* one of them is wrong: the file has whole elements */
	if (by_label != by_size && h->label_offset < UINT32_MAX &&
	    el->dir.size[INDEX_LEVEL0] % (h->label_offset + 8))
		by_label = by_size;
	return by_label % 4 ? 0 : by_label / 4;
}

/* Whether what stood in for a header was right: most labels that there is room
 * for are those of the pickle.  If not, nothing can be read. */
static void
check_assumed(struct elements *el)
{
	uint64_t ids = el->pickle.id_to_label.n;
	uint64_t most = ids < el->readable ? ids : el->readable;

	if (el->found.missing_labels <= ids - most / 2)
		return;
	el->readable = el->leveled = el->lengths = 0;
	el->found.missing_labels = ids;
}

/* A header in the place of one that cannot be read: as many elements as the
 * file has room for.  false: there is nothing to make it of. */
static bool
assume_header(struct elements *el, int64_t dimension)
{
	struct index_header *h = &el->dir.header;
	uint64_t M = guess_M(el), dim;

	if (M < 2 || M > UINT16_MAX / 2)
		return false;
	dim = guess_dim(el, M, dimension);
	if (dim < 1 || dim > INDEX_DIM_MAX)
		return false;
	*h = (struct index_header){ .persistence_version = 1, .maxM = M,
	    .maxM0 = 2 * M, .M = M, .mult = 1 / log((double)M),
	    .dim = dim, .offsetData = 4 + 8 * M,
	    .maxlevel = -1, .enterpoint_node = UINT32_MAX };
	h->label_offset = h->offsetData + 4 * h->dim;
	h->size_data_per_element = h->label_offset + 8;
	h->cur_element_count = h->max_elements = el->dir.size[INDEX_LEVEL0] /
	    h->size_data_per_element;
	return true;
}

static int
open_and_check(struct elements *el, int64_t dimension, bool vectors,
    struct err *e)
{
	struct err why;
	int got = index_pickle(&el->dir, &el->pickle, true, &el->bytes, &why);

	el->has_pickle = got > 0;
	if (!nothing_but_pickle(el))
		el->found.fault = el->dir.fault;
	if (got < 0 && !el->found.fault.status)
		el->found.fault = why;
	if (got <= 0 && !el->all)
		return 0;
	if (got > 0)
		check_fields(el);
	else if (got == 0 && el->dir.has_header &&
	    el->dir.header.cur_element_count > 0)
		fault(el, INDEX_PICKLE, "missing, but header.bin counts %"
		    PRIu64 " elements", el->dir.header.cur_element_count);
	if (el->dir.has_header)
		check_header(el, dimension);
	if (el->dir.has_header || (el->all && el->found.fault.status &&
	    assume_header(el, dimension))) {
		if (check_files(el, vectors, e) < 0)
			return -1;
	}
	if (got > 0 && check_pickle(el, e) < 0)
		return -1;
	if (got > 0 && !el->dir.has_header)
		check_assumed(el);
	return 0;
}

static int
open_index(struct elements *el, int dirfd, const char *segment,
    int64_t dimension, bool vectors, struct err *e)
{
	make_seed(el->seed);
	if (index_open(&el->dir, dirfd, segment, e) < 0)
		return -1;
	if (open_and_check(el, dimension, vectors, e) < 0) {
		elements_close(el);
		return err_in(e, segment);
	}
	index_close(&el->dir);	/* there may be thousands of indexes */
	return 0;
}

int
elements_open(struct elements *el, int dirfd, const char *segment,
    int64_t dimension, enum space space, bool vectors, struct err *e)
{
	*el = (struct elements){ .space = space, .found.max_level = -1 };
	return open_index(el, dirfd, segment, dimension, vectors, e);
}

int
elements_open_all(struct elements *el, int dirfd, const char *segment,
    int64_t dimension, uint64_t M, enum space space, bool vectors,
    struct err *e)
{
	*el = (struct elements){ .space = space, .found.max_level = -1,
	    .all = true, .assumed_M = M };
	return open_index(el, dirfd, segment, dimension, vectors, e);
}

static void
unmap(const uint8_t *p, size_t n)
{
	if (p)
		munmap((void *)(uintptr_t)p, n);
}

void
elements_close(struct elements *el)
{
	unmap(el->level0, el->level0_n);
	unmap(el->length, el->length_n);
	unmap(el->links, el->links_n);
	el->level0 = el->length = el->links = NULL;
	free(el->by_id);
	free(el->by_label);
	free(el->label);
	free(el->taken);
	el->by_id = el->by_label = NULL;
	el->label = NULL;
	el->taken = NULL;
	pickle_release(&el->pickle);
	free(el->bytes);
	el->bytes = NULL;
	el->readable = 0;
	index_close(&el->dir);
}

bool
elements_find(const struct elements *el, struct slice id, uint32_t *internal)
{
	size_t at = el->by_id ? number_of(el, id) : SIZE_MAX;
	uint32_t slot;

	if (at == SIZE_MAX || el->readable == 0)
		return false;
	slot = *label_slot(el,
	    (uint64_t)el->pickle.id_to_label.pair[at].number);
	if (!slot || is_deleted(el, slot - 1))
		return false;
	*internal = slot - 1;
	return true;
}

/* ---- one after the other ---- */

int
elements_walk_begin(struct elements_walk *w, const struct elements *el,
    struct err *e)
{
	const struct pickle_map *map = &el->pickle.id_to_label;
	uint32_t *slot;
	size_t i;

	*w = (struct elements_walk){ .el = el };
	w->pair = calloc((size_t)el->readable + 1, sizeof(*w->pair));
	if (!w->pair)
		return err_nomem(e);
	/* the first of two ids wins, and the first of two entries of one id */
	for (i = el->by_id && el->readable ? map->n : 0; i-- > 0;) {
		slot = label_slot(el, (uint64_t)map->pair[i].number);
		if (*slot && number_of(el, map->pair[i].id) == i)
			w->pair[*slot - 1] = (uint32_t)i + 1;
	}
	return 0;
}

void
elements_walk_again(struct elements_walk *w)
{
	w->next = w->links_at = 0;
}

void
elements_walk_end(struct elements_walk *w)
{
	free(w->pair);
	*w = (struct elements_walk){ 0 };
}

/* Whether an element was never written: no links, no vector, and a label that
 * Chroma gives to none. */
static bool
is_blank(const struct elements *el, uint64_t i)
{
	const uint8_t *p = element(el, i);
	size_t n = (size_t)el->dir.header.size_data_per_element;

	return el->label[i] == 0 && p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

bool
elements_next(struct elements_walk *w, struct element *x)
{
	const struct elements *el = w->el;
	uint64_t i = w->next;
	uint32_t n;

	if (i >= el->readable)
		return false;
	w->next++;
	*x = (struct element){ .internal = (uint32_t)i,
	    .label = el->label[i], .deleted = is_deleted(el, i), .level = -1,
	    .blank = is_blank(el, i), .links = element(el, i) };
	if (w->pair[i])
		x->id = el->pickle.id_to_label.pair[w->pair[i] - 1].id;
	else if (!el->dir.has_header)
		x->blank = true;
	if (i < el->leveled) {
		n = le_u32(el->links + w->links_at);
		x->level = (int)(n / (4 + 4 * el->dir.header.maxM));
		x->upper = el->links + w->links_at + 4;
		w->links_at += 4 + n;
	}
	return true;
}

const uint8_t *
elements_vector(const struct elements *el, uint32_t internal, uint8_t *room)
{
	const uint8_t *p = element(el, internal) + el->dir.header.offsetData;
	uint64_t n = el->dir.header.dim, i;
	float length;

	if (el->space != SPACE_COSINE || internal >= el->lengths)
		return p;
	length = le_f32(el->length + 4 * (size_t)internal);
	if (el->found.bad_lengths > 0 && !(length > 0 && isfinite(length)) &&
	    !possible(sqrt(sum_squares(p, n)), (double)length))
		return p;
	for (i = 0; i < n; i++)
		le_put_f32(room + 4 * i, le_f32(p + 4 * i) * length);
	return room;
}

bool
elements_length(const struct elements *el, uint32_t internal, float *length)
{
	if (el->space != SPACE_COSINE || internal >= el->lengths)
		return false;
	*length = le_f32(el->length + 4 * (size_t)internal);
	return *length > 0 && isfinite(*length);
}

bool
elements_label(const struct elements *el, uint64_t internal, uint64_t *label)
{
	if (internal >= el->readable)
		return false;
	*label = el->label[internal];
	return true;
}

/* One level: at most max links are believed. */
static int
add_level(const struct elements *el, const uint8_t *list, uint64_t max,
    struct buf *out, struct err *e)
{
	uint64_t n = le_u16(list), i, label;
	uint32_t good = 0;
	char *to = buf_room(out, (size_t)(4 + 8 * max));

	if (!to)
		return err_nomem(e);
	if (n > max)
		n = 0;
	for (i = 0; i < n; i++)
		if (elements_label(el, le_u32(list + 4 + 4 * i), &label))
			le_put_u64(to + 4 + 8 * (size_t)good++, label);
	le_put_u32(to, good);
	out->len += 4 + 8 * (size_t)good;
	return 0;
}

int
elements_links(const struct elements *el, const struct element *x,
    struct buf *out, struct err *e)
{
	const struct index_header *h = &el->dir.header;
	int level;

	if (add_level(el, x->links, h->maxM0, out, e) < 0)
		return -1;
	for (level = 1; level <= x->level; level++)
		if (add_level(el, x->upper + (size_t)(level - 1) *
		    (size_t)(4 + 4 * h->maxM), h->maxM, out, e) < 0)
			return -1;
	return 0;
}
