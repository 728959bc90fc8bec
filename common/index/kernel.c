/* SPDX-License-Identifier: Apache-2.0 */
/* kernel.c - the kernel for this processor. */
#include "index/kernel.h"

#include <stdlib.h>
#include <string.h>

#include "index/kernels.h"

#ifdef __aarch64__
#include <sys/auxv.h>

#define HAS_DOT_PRODUCT (1ul << 20)	/* HWCAP_ASIMDDP */
#endif

const struct kernel *
kernel_at(unsigned i)
{
	switch (i) {
	case 0:
		return &kernelportable;
#ifdef __x86_64__
	case 1:
		return __builtin_cpu_supports("avx2") ? &kernelavx2 : NULL;
	case 2:
		return __builtin_cpu_supports("avx512f") &&
		    __builtin_cpu_supports("avx512bw") &&
		    __builtin_cpu_supports("avx512dq") &&
		    __builtin_cpu_supports("avx512vl") &&
		    __builtin_cpu_supports("avx512vnni") ? &kernelavx512 :
		    NULL;
#endif
#ifdef __aarch64__
	case 3:
		return getauxval(AT_HWCAP) & HAS_DOT_PRODUCT ? &kernelneon :
		    NULL;
#endif
	default:
		return NULL;
	}
}

const struct kernel *
kernel_best(void)
{
	const char *name = getenv("CHROMAUTILS_KERNEL");
	const struct kernel *k;
	unsigned i;

	for (i = KERNELS; name && i-- > 0;)
		if ((k = kernel_at(i)) && strcmp(k->name, name) == 0)
			return k;
	for (i = KERNELS; i-- > 0;)
		if ((k = kernel_at(i)))
			return k;
	return &kernelportable;
}
