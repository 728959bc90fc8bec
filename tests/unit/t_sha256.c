/* SPDX-License-Identifier: Apache-2.0 */
/* t_sha256 - the examples of FIPS 180-4 and RFC 4231, and all ways to cut a
 * message. */
#include "base/sha256.h"

#include <stdlib.h>
#include <string.h>

#include "../tap.h"

static const char *
hex(const unsigned char digest[SHA256_SIZE])
{
	static char text[2 * SHA256_SIZE + 1];
	int i;

	for (i = 0; i < SHA256_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	return text;
}

static void
digest_is(const void *p, size_t n, size_t piece, const char *want,
    const char *name)
{
	unsigned char digest[SHA256_SIZE];
	struct sha256 s;
	size_t at, take;

	sha256_init(&s);
	for (at = 0; at < n; at += take) {
		take = n - at < piece ? n - at : piece;
		sha256_add(&s, (const char *)p + at, take);
	}
	sha256_end(&s, digest);
	ok(strcmp(hex(digest), want) == 0, "%s in pieces of %zu: %s", name,
	    piece, hex(digest));
}

static void
hmac_is(const char *key, size_t n, const char *text, const char *want)
{
	unsigned char digest[SHA256_SIZE];
	struct hmac_key k;

	sha256_hmac_init(&k, key, n);
	sha256_hmac(&k, text, strlen(text), digest);
	ok(strcmp(hex(digest), want) == 0, "HMAC, key of %zu: %s", n,
	    hex(digest));
	sha256_hmac(&k, text, strlen(text), digest);
	ok(strcmp(hex(digest), want) == 0, "  and once more");
}

int
main(void)
{
	static const char two[] =
	    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	static const char of_two[] = "248d6a61d20638b8e5c026930c3e6039"
	    "a33ce45964ff2167f6ecedd419db06c1";
	static char million[1000000], key[131];
	size_t i;

	digest_is("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855", "nothing");
	digest_is("abc", 3, 3, "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad", "abc");
	for (i = 1; i <= strlen(two); i++)
		digest_is(two, strlen(two), i, of_two, "two blocks");
	memset(million, 'a', sizeof(million));
	for (i = 63; i <= 130; i += 67)
		digest_is(million, sizeof(million), i,
		    "cdc76e5c9914fb9281a1c7e284d73e67"
		    "f1809a48a497200e046d39ccc7112cd0", "a million");
	memset(key, 0x0b, 20);
	hmac_is(key, 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b"
	    "881dc200c9833da726e9376c2e32cff7");
	hmac_is("Jefe", 4, "what do ya want for nothing?",
	    "5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hmac_is(key, sizeof(key), "Test Using Larger Than Block-Size Key - "
	    "Hash Key First", "60e431591ee0b67f0d8a26aacbf5b77f"
	    "8e0bc6213728c5140546040f0ee37f54");
	return tap_done();
}
