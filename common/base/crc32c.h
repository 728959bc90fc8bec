/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.h - CRC-32C (Castagnoli), as in iSCSI (RFC 3720) and ext4. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of n bytes that follow bytes with checksum crc; crc is 0 at
 * the start.  crc32c(0, "123456789", 9) is 0xe3069283. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* The same from tables, on any machine: what crc32c() must agree with. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
