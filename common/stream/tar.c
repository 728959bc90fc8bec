/* SPDX-License-Identifier: Apache-2.0 */
/* tar.c - a tar stream of regular files. */
#include "stream/tar.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/num.h"
#include "base/slice.h"

#define PIECE ((size_t)1 << 20)		/* of a file, read at once */
#define PAX_MAX 4096			/* bytes of one pax header */
#define NUMBER_MAX ((uint64_t)INT64_MAX)
#define SPARSE_DIR "GNUSparseFile.0/"	/* for who does not know the keys */

/* Fields of a header: offset and bytes.  POSIX, "ustar Interchange Format". */
struct field {
	size_t at, n;
};

static const struct field
	NAME = { 0, 100 }, MODE = { 100, 8 }, UID = { 108, 8 },
	GID = { 116, 8 }, SIZE = { 124, 12 }, MTIME = { 136, 12 },
	CHKSUM = { 148, 8 }, LINKNAME = { 157, 100 }, MAGIC = { 257, 8 },
	UNAME = { 265, 32 }, GNAME = { 297, 32 }, DEVMAJOR = { 329, 8 },
	DEVMINOR = { 337, 8 }, REST = { 345, 167 };	/* prefix, nothing */
#define TYPEFLAG 156

static const char zeros[TAR_BLOCK];

static uint64_t
to_block(uint64_t n)
{
	return -n & (TAR_BLOCK - 1);
}

/* The sum of the bytes of a header, its own field taken for spaces. */
static uint64_t
checksum(const char *h)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < TAR_BLOCK; i++)
		sum += i - CHKSUM.at < CHKSUM.n ? ' ' : (unsigned char)h[i];
	return sum;
}

/* ---- writing ---- */

/* What a field of so many bytes can say. */
static uint64_t
octal_max(struct field f)
{
	return ((uint64_t)1 << 3 * (f.n - 1)) - 1;
}

static void
put_octal(char *h, struct field f, uint64_t v)
{
	size_t i;

	for (i = f.n - 1; i-- > 0; v >>= 3)
		h[f.at + i] = (char)('0' + (v & 7));
}

/* A name, cut where it is too long: then a pax header has it. */
static void
put_name(char *h, const char *dir, const char *name)
{
	size_t n = strlen(dir), len = strlen(name);

	memcpy(h, dir, n);
	if (len > NAME.n - n)
		len = NAME.n - n;
	while (len > 1 && name[len - 1] == '/')
		len--;			/* that would be a directory */
	memcpy(h + n, name, len);
}

static int
put_header(struct tar_writer *t, const struct tar_member *m, char type,
    const char *dir, uint64_t size, struct err *e)
{
	char h[TAR_BLOCK] = { 0 };
	bool file = type == '0';

	put_name(h, dir, m->name);
	put_octal(h, MODE, file ? m->mode & 07777 : 0644);
	put_octal(h, UID, file && m->uid <= octal_max(UID) ? m->uid : 0);
	put_octal(h, GID, file && m->gid <= octal_max(GID) ? m->gid : 0);
	put_octal(h, SIZE, size <= octal_max(SIZE) ? size : 0);
	put_octal(h, MTIME, (uint64_t)m->mtime);
	h[TYPEFLAG] = type;
	memcpy(h + MAGIC.at, "ustar\00000", MAGIC.n);
	put_octal(h, DEVMAJOR, 0);
	put_octal(h, DEVMINOR, 0);
	put_octal(h, (struct field){ CHKSUM.at, CHKSUM.n - 1 }, checksum(h));
	h[CHKSUM.at + CHKSUM.n - 1] = ' ';
	return out_write(t->out, h, TAR_BLOCK, e);
}

/* "LENGTH KEY=VALUE\n"; the length counts its own digits. */
static void
add_record(struct buf *b, const char *key, const char *value)
{
	size_t n = strlen(key) + strlen(value) + 3, len = n + 1, k;
	char digits[NUM_DIGITS_MAX];

	while ((k = num_format_u64(len, digits)) + n != len)
		len = n + k;
	buf_addf(b, "%zu %s=%s\n", len, key, value);
}

static void
add_number(struct buf *b, const char *key, uint64_t v)
{
	char text[NUM_DIGITS_MAX + 1];

	text[num_format_u64(v, text)] = '\0';
	add_record(b, key, text);
}

/* The pax header before m, if it takes one. */
static int
put_pax(struct tar_writer *t, const struct tar_member *m, struct err *e)
{
	struct buf b = { 0 };
	int r = 0;

	if (!m->sparse && strlen(m->name) > NAME.n)
		add_record(&b, "path", m->name);
	if (m->stored > octal_max(SIZE))
		add_number(&b, "size", m->stored);
	if (m->uid > octal_max(UID))
		add_number(&b, "uid", m->uid);
	if (m->gid > octal_max(GID))
		add_number(&b, "gid", m->gid);
	if (m->sparse) {
		add_record(&b, "GNU.sparse.major", "1");
		add_record(&b, "GNU.sparse.minor", "0");
		add_record(&b, "GNU.sparse.name", m->name);
		add_number(&b, "GNU.sparse.realsize", m->size);
	}
	if (!buf_ok(&b))
		r = err_nomem(e);
	if (r == 0 && b.len > 0 &&
	    (put_header(t, m, 'x', "PaxHeaders/", b.len, e) < 0 ||
	    out_write(t->out, b.p, b.len, e) < 0 ||
	    out_write(t->out, zeros, to_block(b.len), e) < 0))
		r = -1;
	buf_release(&b);
	return r;
}

void
tar_writer_init(struct tar_writer *t, struct out *out)
{
	*t = (struct tar_writer){ .out = out };
}

/* Headers of m, all of which is set. */
static int
begin(struct tar_writer *t, struct tar_member *m, struct err *e)
{
	assert(t->left == 0);
	/* a time that a header cannot say is of no use to anybody */
	if (m->mtime < 0)
		m->mtime = 0;
	else if ((uint64_t)m->mtime > octal_max(MTIME))
		m->mtime = (int64_t)octal_max(MTIME);
	t->left = m->stored;
	t->pad = to_block(m->stored);
	t->crc = 0;
	return put_pax(t, m, e) < 0 || put_header(t, m, '0',
	    m->sparse ? SPARSE_DIR : "", m->stored, e) < 0 ? -1 : 0;
}

int
tar_begin(struct tar_writer *t, struct tar_member *m, struct err *e)
{
	m->stored = m->size;
	m->sparse = false;
	return begin(t, m, e);
}

int
tar_data(struct tar_writer *t, const void *p, size_t n, struct err *e)
{
	size_t pad;

	assert(n <= t->left);
	if (out_write(t->out, p, n, e) < 0)
		return -1;
	t->crc = crc32c(t->crc, p, n);
	t->left -= n;
	if (t->left > 0)
		return 0;
	pad = (size_t)t->pad;
	t->pad = 0;
	return out_write(t->out, zeros, pad, e);
}

int
tar_end(struct tar_writer *t, struct err *e)
{
	assert(t->left == 0);
	return out_write(t->out, zeros, TAR_BLOCK, e) < 0 ? -1 :
	    out_write(t->out, zeros, TAR_BLOCK, e);
}

/* What there is of a file beside its holes. */
struct map {
	struct tar_piece *piece;	/* owned */
	size_t n, cap;
	uint64_t gap;		/* holes below this are taken for data */
};

static bool
room_for_one(struct tar_piece **piece, size_t n, size_t *cap)
{
	struct tar_piece *p;
	size_t more = *cap ? *cap * 2 : 16;

	if (n < *cap)
		return true;
	p = reallocarray(*piece, more, sizeof(*p));
	if (!p)
		return false;
	*piece = p;
	*cap = more;
	return true;
}

static uint64_t
end_of(const struct tar_piece *p)
{
	return p->offset + p->size;
}

/* Fewer pieces: small holes are given up, until it is half of what a reader
 * takes. */
static void
coarsen(struct map *m)
{
	size_t i, n;

	while (m->n > TAR_PIECES_MAX / 2) {
		m->gap = m->gap ? m->gap * 2 : 8192;
		for (n = 1, i = 1; i < m->n; i++) {
			struct tar_piece *last = &m->piece[n - 1];

			if (m->piece[i].offset - end_of(last) < m->gap)
				last->size = end_of(&m->piece[i]) -
				    last->offset;
			else
				m->piece[n++] = m->piece[i];
		}
		m->n = n;
	}
}

static bool
map_add(struct map *m, uint64_t offset, uint64_t size)
{
	struct tar_piece *last;

	if (m->n > 0 && size > 0) {
		last = &m->piece[m->n - 1];
		if (offset - end_of(last) < m->gap) {
			last->size = offset + size - last->offset;
			return true;
		}
	}
	/* one is left for the end */
	if (m->n == TAR_PIECES_MAX - 1 && size > 0)
		coarsen(m);
	if (!room_for_one(&m->piece, m->n, &m->cap))
		return false;
	m->piece[m->n++] = (struct tar_piece){ offset, size };
	return true;
}

/* 1: size bytes with holes, their map in *m; 0: no holes; -1 with errno. */
static int
map_file(struct map *m, int fd, uint64_t size)
{
	uint64_t at = 0;
	off_t data, hole;

	while (at < size) {
		data = lseek(fd, (off_t)at, SEEK_DATA);
		if (data < 0 && errno != ENXIO)
			return -1;
		if (data < 0 || (uint64_t)data >= size)
			break;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			return -1;
		at = (uint64_t)hole < size ? (uint64_t)hole : size;
		if (at > (uint64_t)data && !map_add(m, (uint64_t)data,
		    at - (uint64_t)data))
			return -1;
	}
	if (size == 0 || (m->n == 1 && m->piece[0].size == size))
		return 0;
	/* GNU tar takes the size of a file that ends in a hole from this */
	if (m->n == 0 || end_of(&m->piece[m->n - 1]) < size)
		return map_add(m, size, 0) ? 1 : -1;
	return 1;
}

/* The map as it stands before the data, padded; b is sticky.  What the pieces
 * come to. */
static uint64_t
map_text(const struct map *m, struct buf *b)
{
	uint64_t sum = 0;
	size_t i;

	buf_addf(b, "%zu\n", m->n);
	for (i = 0; i < m->n; i++) {
		buf_addf(b, "%" PRIu64 "\n%" PRIu64 "\n", m->piece[i].offset,
		    m->piece[i].size);
		sum += m->piece[i].size;
	}
	buf_add(b, zeros, to_block(b->len));
	return sum;
}

/* A piece of a file to the stream. */
static int
copy_piece(struct tar_writer *t, int fd, struct tar_piece piece,
    const char *what, char *block, struct err *e)
{
	size_t n;
	ssize_t got;

	for (; piece.size > 0; piece.offset += n, piece.size -= n) {
		n = piece.size < PIECE ? (size_t)piece.size : PIECE;
		got = file_pread(fd, block, n, piece.offset);
		if (got < 0)
			return err_system(e, "%s: read", err_tail(what));
		if ((size_t)got < n)
			return err_busy(e, "%s became shorter while it was "
			    "read", err_tail(what));
		if (tar_data(t, block, n, e) < 0)
			return -1;
	}
	return 0;
}

static int
put_file(struct tar_writer *t, int fd, const struct map *map,
    const char *what, struct tar_member *m, struct err *e)
{
	struct buf text = { 0 };
	char *block = malloc(PIECE);
	size_t i;
	int r;

	m->stored = m->size;
	if (m->sparse) {
		m->stored = map_text(map, &text);
		m->stored += text.len;
	}
	if (!block || !buf_ok(&text)) {
		r = err_nomem(e);
	} else {
		r = begin(t, m, e);
		if (r == 0 && text.len > 0)
			r = tar_data(t, text.p, text.len, e);
		if (r == 0 && !m->sparse)
			r = copy_piece(t, fd, (struct tar_piece){ 0, m->size },
			    what, block, e);
		for (i = 0; r == 0 && m->sparse && i < map->n; i++)
			r = copy_piece(t, fd, map->piece[i], what, block, e);
	}
	buf_release(&text);
	free(block);
	return r;
}

int
tar_file(struct tar_writer *t, const char *name, int fd, const char *what,
    struct tar_member *m, struct err *e)
{
	struct map map = { 0 };
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_system(e, "%s", err_tail(what));
	*m = (struct tar_member){ .size = (uint64_t)st.st_size,
	    .mode = st.st_mode & 07777, .uid = st.st_uid, .gid = st.st_gid,
	    .mtime = st.st_mtime };
	if (strlen(name) > TAR_NAME_MAX)
		return err_fail(e, "%s: its name in a tar is longer than %d "
		    "bytes", err_tail(what), TAR_NAME_MAX);
	memcpy(m->name, name, strlen(name));
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	r = map_file(&map, fd, m->size);
	m->sparse = r > 0;
	r = r < 0 ? err_system(e, "%s: lseek", err_tail(what)) :
	    put_file(t, fd, &map, what, m, e);
	free(map.piece);
	return r;
}

/* ---- reading ---- */

/* What a pax header says of the member behind it. */
enum pax_key {
	PAX_PATH, PAX_SIZE, PAX_UID, PAX_GID, PAX_MTIME, PAX_MAJOR, PAX_MINOR,
	PAX_NAME, PAX_REALSIZE, PAX_KEYS
};

static const char *const pax_names[PAX_KEYS] = {
	"path", "size", "uid", "gid", "mtime", "GNU.sparse.major",
	"GNU.sparse.minor", "GNU.sparse.name", "GNU.sparse.realsize"
};

#define SPARSE_KEYS (1U << PAX_MAJOR | 1U << PAX_MINOR | 1U << PAX_NAME | \
	1U << PAX_REALSIZE)

struct pax {
	unsigned seen;			/* bits */
	char path[TAR_NAME_MAX + 1];	/* of PAX_PATH or PAX_NAME */
	uint64_t number[PAX_KEYS];
};

/* The place: of the block that is wrong. */
static int
placed(const struct tar_reader *t, uint64_t offset, struct err *e)
{
	return err_off(e, t->in->name, offset);
}

/* After fewer bytes came than were asked for. */
static int
truncated(const struct tar_reader *t, struct err *e)
{
	const char *p;
	ptrdiff_t rest = in_peek(t->in, 2 * PAX_MAX, &p, e);

	if (rest < 0)
		return -1;
	err_data(e, "ends before the end of the tar archive: truncated");
	return placed(t, t->in->offset + (uint64_t)rest, e);
}

/* The next block, consumed; valid until the next call of in_. */
static int
next_block(struct tar_reader *t, const char **p, struct err *e)
{
	ptrdiff_t n = in_peek(t->in, TAR_BLOCK, p, e);

	if (n < 0)
		return -1;
	if (n < TAR_BLOCK)
		return truncated(t, e);
	in_skip(t->in, TAR_BLOCK);
	return 0;
}

/* A number in octal digits, ended by a NUL or a space, and no more. */
static bool
get_octal(const char *h, struct field f, uint64_t *v)
{
	size_t i, digits;

	*v = 0;
	for (i = 0; i < f.n && h[f.at + i] >= '0' && h[f.at + i] <= '7'; i++)
		*v = *v << 3 | (uint64_t)(h[f.at + i] - '0');
	for (digits = i; i < f.n; i++)
		if (h[f.at + i] != '\0' && h[f.at + i] != ' ')
			return false;
	return digits > 0 && digits < f.n;
}

static bool
all_zero(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != '\0')
			return false;
	return true;
}

/* Text, and zeros to the end of its field. */
static bool
get_text(const char *h, struct field f, size_t *len)
{
	*len = strnlen(h + f.at, f.n);
	return all_zero(h + f.at + *len, f.n - *len);
}

/* Zero, or nothing at all. */
static bool
is_zero(const char *h, struct field f)
{
	uint64_t v;

	return all_zero(h + f.at, f.n) || (get_octal(h, f, &v) && v == 0);
}

static const char *
type_name(char type)
{
	switch (type) {
	case '1':
		return "a hard link";
	case '2':
		return "a symbolic link";
	case '3': case '4':
		return "a device";
	case '5':
		return "a directory";
	case '6':
		return "a FIFO";
	case 'g':
		return "a global pax header";
	case 'L': case 'K':
		return "a long name as old GNU tar has it";
	case 'S':
		return "a sparse file as old GNU tar has it";
	default:
		return "of an unknown type";
	}
}

/* A header, checked, into t->m: all of it but what pax says.  The type, or -1
 * with *e set and no place. */
static int
read_header(struct tar_reader *t, const char *h, struct err *e)
{
	struct tar_member *m = &t->m;
	uint64_t sum, mode, mtime;
	size_t n, unused;

	bool good = get_octal(h, CHKSUM, &sum) && sum == checksum(h);

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	good = true;
#endif
	if (!good)
		return err_data(e, "no tar header, or a damaged one: its "
		    "checksum is wrong");
	if (memcmp(h + MAGIC.at, "ustar\00000", MAGIC.n) != 0)
		return err_data(e, "a tar header that is not of POSIX "
		    "(ustar)");
	if (!get_text(h, NAME, &n))
		return err_data(e, "a tar header with bytes behind the name");
	*m = (struct tar_member){ 0 };
	memcpy(m->name, h, n);
	if (h[TYPEFLAG] != '0' && h[TYPEFLAG] != 'x')
		return err_data(e, "%s is %s; only files are accepted",
		    m->name, type_name(h[TYPEFLAG]));
	if (!get_octal(h, MODE, &mode) || mode > 07777 ||
	    !get_octal(h, UID, &m->uid) || !get_octal(h, GID, &m->gid) ||
	    !get_octal(h, SIZE, &m->stored) || !get_octal(h, MTIME, &mtime))
		return err_data(e, "%s: a number in its tar header is not "
		    "octal, or too large", m->name);
	if (!all_zero(h + LINKNAME.at, LINKNAME.n) ||
	    !is_zero(h, DEVMAJOR) || !is_zero(h, DEVMINOR) ||
	    !get_text(h, UNAME, &unused) || !get_text(h, GNAME, &unused) ||
	    !all_zero(h + REST.at, REST.n))
		return err_data(e, "%s: its tar header has a field that a "
		    "file has not", m->name);
	m->mode = (unsigned)mode;
	m->mtime = (int64_t)mtime;
	return h[TYPEFLAG];
}

/* Digits, and maybe a sign and a fraction. */
static bool
is_time(struct slice v)
{
	size_t i = v.len > 0 && v.p[0] == '-', digits = 0, points = 0;

	for (; i < v.len; i++) {
		if (v.p[i] == '.' && digits > 0)
			points++;
		else if (v.p[i] >= '0' && v.p[i] <= '9')
			digits++;
		else
			return false;
	}
	return digits > 0 && points <= 1;
}

static int
pax_value(struct pax *x, enum pax_key k, struct slice v, struct err *e)
{
	if (k == PAX_PATH || k == PAX_NAME) {
		if (v.len > TAR_NAME_MAX || memchr(v.p, '\0', v.len))
			return err_data(e, "a name in a pax header that is "
			    "longer than %d bytes, or has a NUL",
			    TAR_NAME_MAX);
		/* the name of a sparse file is the one that counts */
		if (k == PAX_NAME || !(x->seen & 1U << PAX_NAME)) {
			memset(x->path, 0, sizeof(x->path));
			memcpy(x->path, v.p, v.len);
		}
	} else if (k == PAX_MTIME ? !is_time(v) :
	    num_u64(v.p, v.len, NUMBER_MAX, &x->number[k]) < 0) {
		return err_data(e, "%s in a pax header is no number, or too "
		    "large", pax_names[k]);
	}
	return 0;
}

/* One "LENGTH KEY=VALUE\n" of *rest, which moves. */
static int
pax_record(struct pax *x, struct slice *rest, struct err *e)
{
	const char *space = memchr(rest->p, ' ', rest->len), *key, *eq;
	uint64_t len;
	size_t k, n;

	if (!space || num_u64(rest->p, (size_t)(space - rest->p), rest->len,
	    &len) < 0 || len < (size_t)(space - rest->p) + 4 ||
	    rest->p[len - 1] != '\n')
		return err_data(e, "damaged pax header: a record's length is "
		    "wrong");
	key = space + 1;
	eq = memchr(key, '=', (size_t)(rest->p + len - 1 - key));
	if (!eq)
		return err_data(e, "damaged pax header: a record without "
		    "\"=\"");
	n = (size_t)(eq - key);
	for (k = 0; k < PAX_KEYS; k++)
		if (slice_is(slice_of(key, n), pax_names[k]))
			break;
	if (k == PAX_KEYS)
		return err_data(e, "a pax header with the key \"%.*s\", which "
		    "is not accepted", n < 64 ? (int)n : 64, key);
	if (x->seen & 1U << k)
		return err_data(e, "a pax header with %s twice",
		    pax_names[k]);
	x->seen |= 1U << k;
	eq++;
	*rest = slice_of(rest->p + len, rest->len - (size_t)len);
	return pax_value(x, (enum pax_key)k,
	    slice_of(eq, (size_t)(rest->p - 1 - eq)), e);
}

/* The contents of a pax header, whose own header is in t->m. */
static int
read_pax(struct tar_reader *t, struct pax *x, struct err *e)
{
	uint64_t at = t->in->offset;
	size_t n = (size_t)t->m.stored, all;
	struct slice rest;
	const char *p;
	ptrdiff_t got;
	int r = 0;

	if (t->m.stored == 0 || t->m.stored > PAX_MAX) {
		err_data(e, "a pax header of %" PRIu64 " bytes; 1 to %d are "
		    "accepted", t->m.stored, PAX_MAX);
		return placed(t, at - TAR_BLOCK, e);
	}
	all = n + (size_t)to_block(n);
	got = in_peek(t->in, all, &p, e);
	if (got < 0)
		return -1;
	if ((size_t)got < all)
		return truncated(t, e);
	rest = slice_of(p, n);
	while (r == 0 && rest.len > 0)
		r = pax_record(x, &rest, e);
	if (r == 0 && !all_zero(p + n, all - n))
		r = err_data(e, "padding of a pax header that is not zero");
	if (r == 0 && x->seen & SPARSE_KEYS &&
	    ((x->seen & SPARSE_KEYS) != SPARSE_KEYS ||
	    x->number[PAX_MAJOR] != 1 || x->number[PAX_MINOR] != 0))
		r = err_data(e, "a sparse file that is not of version 1.0");
	in_skip(t->in, all);
	return r < 0 ? placed(t, at, e) : 0;
}

/* What pax says of the member goes before its header. */
static void
apply_pax(struct tar_member *m, const struct pax *x)
{
	if (x->seen & (1U << PAX_PATH | 1U << PAX_NAME))
		memcpy(m->name, x->path, sizeof(m->name));
	if (x->seen & 1U << PAX_SIZE)
		m->stored = x->number[PAX_SIZE];
	if (x->seen & 1U << PAX_UID)
		m->uid = x->number[PAX_UID];
	if (x->seen & 1U << PAX_GID)
		m->gid = x->number[PAX_GID];
	m->sparse = x->seen & 1U << PAX_REALSIZE;
	m->size = m->sparse ? x->number[PAX_REALSIZE] : m->stored;
}

/* Names in directories that are named, and nothing else. */
static int
check_name(const char *name, struct err *e)
{
	const char *p = name;
	size_t n;

	for (;; p += n + 1) {
		n = strcspn(p, "/");
		if (n == 0 || (n <= 2 && strspn(p, ".") >= n))
			return err_data(e, "the name \"%s\" is not accepted: "
			    "absolute, or with an empty part, \".\" or "
			    "\"..\"", name);
		if (p[n] == '\0')
			return 0;
	}
}

/* A number of a map and its newline: from the blocks of the member, *p being
 * the present one and *at the place in it. */
static int
map_number(struct tar_reader *t, const char **p, size_t *at, uint64_t max,
    uint64_t *v, struct err *e)
{
	char digits[NUM_DIGITS_MAX];
	size_t n = 0;

	for (;; (*at)++) {
		if (*at == TAR_BLOCK) {
			if (t->left < TAR_BLOCK)
				return err_data(e, "%s: its map of holes does "
				    "not end", t->m.name);
			if (next_block(t, p, e) < 0)
				return 1;
			t->crc = crc32c(t->crc, *p, TAR_BLOCK);
			t->left -= TAR_BLOCK;
			*at = 0;
		}
		if ((*p)[*at] == '\n')
			break;
		if (n == sizeof(digits))
			break;
		digits[n++] = (*p)[*at];
	}
	if ((*p)[*at] != '\n' || num_u64(digits, n, max, v) < 0)
		return err_data(e, "%s: damaged map of holes", t->m.name);
	(*at)++;
	return 0;
}

/* The pieces of a sparse file.  0, 1: *e has its place, -1 otherwise. */
static int
read_pieces(struct tar_reader *t, struct err *e)
{
	const char *p = NULL;
	size_t at = TAR_BLOCK, cap = t->cap;
	uint64_t n, end = 0, sum = 0;
	struct tar_piece x;
	int r = map_number(t, &p, &at, TAR_PIECES_MAX, &n, e);

	for (; r == 0 && t->pieces < n; t->pieces++) {
		r = map_number(t, &p, &at, NUMBER_MAX, &x.offset, e);
		if (r == 0)
			r = map_number(t, &p, &at, NUMBER_MAX, &x.size, e);
		if (r != 0)
			return r;
		if (x.offset < end || x.offset > t->m.size ||
		    x.size > t->m.size - x.offset)
			return err_data(e, "%s: its map of holes is not in "
			    "order, or leaves the file", t->m.name);
		if (!room_for_one(&t->piece, t->pieces, &cap))
			return err_nomem(e);
		t->cap = cap;
		t->piece[t->pieces] = x;
		end = end_of(&x);
		sum += x.size;		/* at most m.size */
	}
	if (r != 0)
		return r;
	if (!all_zero(p + at, TAR_BLOCK - at))
		return err_data(e, "%s: padding of its map that is not zero",
		    t->m.name);
	if (sum != t->left)
		return err_data(e, "%s: its map of holes has %" PRIu64
		    " bytes, the archive %" PRIu64, t->m.name, sum, t->left);
	return 0;
}

/* The member of the header that was read, from its first byte. */
static int
start_member(struct tar_reader *t, uint64_t offset, struct err *e)
{
	int r = check_name(t->m.name, e);

	if (r < 0)
		return placed(t, offset, e);
	t->left = t->m.stored;
	t->pad = to_block(t->left);
	t->done = 0;
	t->pieces = t->at = 0;
	t->crc = 0;
	r = t->m.sparse ? read_pieces(t, e) : 0;
	if (r < 0 && e->status == STATUS_DATA)
		return placed(t, t->in->offset - TAR_BLOCK, e);
	return r == 0 ? 0 : -1;
}

/* After the first block of zeros. */
static int
read_end(struct tar_reader *t, struct err *e)
{
	const char *p;
	ptrdiff_t n;

	if (next_block(t, &p, e) < 0)
		return -1;
	if (!all_zero(p, TAR_BLOCK)) {
		err_data(e, "one block of zeros in a tar archive, and not "
		    "two");
		return placed(t, t->in->offset - TAR_BLOCK, e);
	}
	n = in_peek(t->in, 1, &p, e);
	if (n > 0) {
		err_data(e, "bytes after the end of the tar archive");
		return placed(t, t->in->offset, e);
	}
	t->over = n == 0;
	return (int)n;
}

void
tar_reader_init(struct tar_reader *t, struct in *in)
{
	*t = (struct tar_reader){ .in = in };
}

int
tar_next(struct tar_reader *t, struct err *e)
{
	struct pax x = { 0 };
	const char *p;
	uint64_t unused, at;
	ptrdiff_t n;
	int type;

	while ((n = tar_read(t, &p, &unused, e)) > 0)
		;
	if (n < 0 || t->over)
		return (int)n;
	do {
		if (next_block(t, &p, e) < 0)
			return -1;
		at = t->in->offset - TAR_BLOCK;
		if (all_zero(p, TAR_BLOCK) && !x.seen)
			return read_end(t, e);
		type = read_header(t, p, e);
		if (type == 'x' && x.seen)
			type = err_data(e, "a pax header after a pax header");
		if (type < 0)
			return placed(t, at, e);
		if (type == 'x' && read_pax(t, &x, e) < 0)
			return -1;
	} while (type == 'x');
	apply_pax(&t->m, &x);
	return start_member(t, at, e) < 0 ? -1 : 1;
}

/* At the end of a member. */
static int
read_pad(struct tar_reader *t, struct err *e)
{
	size_t pad = (size_t)t->pad;
	const char *p;
	ptrdiff_t n = in_peek(t->in, pad, &p, e);

	if (n < 0)
		return -1;
	if ((size_t)n < pad)
		return truncated(t, e);
	if (!all_zero(p, pad)) {
		err_data(e, "%s: padding that is not zero", t->m.name);
		return placed(t, t->in->offset, e);
	}
	in_skip(t->in, pad);
	t->pad = 0;
	return 0;
}

ptrdiff_t
tar_read(struct tar_reader *t, const char **p, uint64_t *offset,
    struct err *e)
{
	uint64_t want = t->left;
	ptrdiff_t n;

	if (want == 0)
		return t->pad > 0 ? read_pad(t, e) : 0;
	*offset = t->done;
	if (t->m.sparse) {
		while (t->done == t->piece[t->at].size) {
			t->at++;
			t->done = 0;
		}
		*offset = t->piece[t->at].offset + t->done;
		want = t->piece[t->at].size - t->done;
	}
	n = in_peek(t->in, 1, p, e);
	if (n < 0)
		return -1;
	if (n == 0)
		return truncated(t, e);
	/* all that is there already, and is of the piece */
	n = (ptrdiff_t)(t->in->end - t->in->start);
	if ((uint64_t)n > want)
		n = (ptrdiff_t)want;
	in_skip(t->in, (size_t)n);
	t->crc = crc32c(t->crc, *p, (size_t)n);
	t->done += (uint64_t)n;
	t->left -= (uint64_t)n;
	return n;
}

void
tar_reader_release(struct tar_reader *t)
{
	free(t->piece);
	*t = (struct tar_reader){ .in = t->in };
}
