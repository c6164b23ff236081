// SPDX-License-Identifier: MIT
/*
 * assert(x): unless NDEBUG is defined, a false x prints where and ends by abort().
 * May be included several times, with and without NDEBUG (so there is no #pragma once).
 */
#undef assert
#ifdef NDEBUG
#define assert(x) ((void)0)
#else
#define assert(x) ((x) ? (void)0 : __assert_fail(#x, __FILE__, __LINE__, __func__))
#endif

#ifndef __cplusplus
#undef static_assert
#define static_assert _Static_assert
#endif

_Noreturn void __assert_fail(
	const char *expression, const char *file, int line, const char *function);
