/* SPDX-License-Identifier: Apache-2.0 */
/* kernels.h - the kernels that there are; kernel.c chooses. */
#ifndef INDEX_KERNELS_H
#define INDEX_KERNELS_H

#include "index/kernel.h"

extern const struct kernel kernelportable;
#ifdef __x86_64__
extern const struct kernel kernelavx2, kernelavx512;
#endif
#ifdef __aarch64__
extern const struct kernel kernelneon;
#endif

#endif
