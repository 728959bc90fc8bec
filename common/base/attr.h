/* SPDX-License-Identifier: Apache-2.0 */
/* attr.h - compiler attributes, spelled once. */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#ifdef __FAST_MATH__
#error "build without -ffast-math: results must not depend on the optimiser"
#endif

#define ATTR_PRINTF(fmt, args)	__attribute__((format(printf, fmt, args)))
#define ATTR_NORETURN		__attribute__((noreturn))
#define ATTR_NODISCARD		__attribute__((warn_unused_result))
#define ATTR_TARGET(isa)	__attribute__((target(isa)))
#define ATTR_LIKELY(x)		__builtin_expect(!!(x), 1)
#define ATTR_UNLIKELY(x)	__builtin_expect(!!(x), 0)

#endif
