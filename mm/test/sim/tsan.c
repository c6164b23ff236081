// SPDX-License-Identifier: MIT
/*
 * What code that was compiled with -fsanitize=thread calls: each shared access of mm, before it is
 * made.  The interface is the compiler's (LLVM: Transforms/Instrumentation/ThreadSanitizer.cpp);
 * the sanitizer's own runtime is not linked.
 *
 * An access is a point of the schedule, unless it is to the fiber's own stack.  It is checked
 * first: mm has no business in metadata pages and structures that it has given back (host.c).  The
 * bytes of frames are a point once a KiB, so that copying a page can be interrupted in its
 * middle without making it a hundred times as long as all else.
 *
 * All atomics are carried out sequentially consistent: nothing runs beside us.
 */
#include "host.h"

#include <string.h>

#define SAME_PIECE 1024

void *sim_memcpy(void *to, const void *from, size_t n);
void *sim_memset(void *to, int byte, size_t n);

static void point(const void *at, enum point kind)
{
	if (sched_own_stack(at))
		return;
	host_check_access(at);
	if (host_is_frame(at) && (uintptr_t)at % SAME_PIECE != 0)
		return;
	sched_point(kind);
}

#define PLAIN(size)                                       \
	void __tsan_read##size(const void *at);           \
	void __tsan_write##size(void *at);                \
	void __tsan_unaligned_read##size(const void *at); \
	void __tsan_unaligned_write##size(void *at);      \
	void __tsan_read##size(const void *at)            \
	{                                                 \
		point(at, POINT_READ);                    \
	}                                                 \
	void __tsan_write##size(void *at)                 \
	{                                                 \
		point(at, POINT_WRITE);                   \
	}                                                 \
	void __tsan_unaligned_read##size(const void *at)  \
	{                                                 \
		point(at, POINT_READ);                    \
	}                                                 \
	void __tsan_unaligned_write##size(void *at)       \
	{                                                 \
		point(at, POINT_WRITE);                   \
	}

#define FETCH(bits, name, operation)                                           \
	uint##bits##_t __tsan_atomic##bits##_fetch_##name(                     \
		volatile uint##bits##_t *at, uint##bits##_t value, int order); \
	uint##bits##_t __tsan_atomic##bits##_fetch_##name(                     \
		volatile uint##bits##_t *at, uint##bits##_t value, int order)  \
	{                                                                      \
		(void)order;                                                   \
		point((const void *)at, POINT_ATOMIC);                         \
		return operation(at, value, __ATOMIC_SEQ_CST);                 \
	}

#define EXCHANGE(bits, strength)                                                           \
	int __tsan_atomic##bits##_compare_exchange_##strength(volatile uint##bits##_t *at, \
		uint##bits##_t *expected, uint##bits##_t value, int order, int failed);    \
	int __tsan_atomic##bits##_compare_exchange_##strength(volatile uint##bits##_t *at, \
		uint##bits##_t *expected, uint##bits##_t value, int order, int failed)     \
	{                                                                                  \
		(void)order, (void)failed;                                                 \
		point((const void *)at, POINT_ATOMIC);                                     \
		return __atomic_compare_exchange_n(                                        \
			at, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);   \
	}

/* The same; returns what stood there. */
#define EXCHANGE_VALUE(bits)                                                                   \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(volatile uint##bits##_t *at, \
		uint##bits##_t expected, uint##bits##_t value, int order, int failed);         \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(volatile uint##bits##_t *at, \
		uint##bits##_t expected, uint##bits##_t value, int order, int failed)          \
	{                                                                                      \
		(void)__tsan_atomic##bits##_compare_exchange_strong(                           \
			at, &expected, value, order, failed);                                  \
		return expected;                                                               \
	}

#define ATOMIC(bits)                                                                             \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *at, int order); \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *at, int order)  \
	{                                                                                        \
		(void)order;                                                                     \
		point((const void *)at, POINT_ATOMIC);                                           \
		return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                    \
	}                                                                                        \
	void __tsan_atomic##bits##_store(                                                        \
		volatile uint##bits##_t *at, uint##bits##_t value, int order);                   \
	void __tsan_atomic##bits##_store(                                                        \
		volatile uint##bits##_t *at, uint##bits##_t value, int order)                    \
	{                                                                                        \
		(void)order;                                                                     \
		point((const void *)at, POINT_ATOMIC);                                           \
		__atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                   \
	}                                                                                        \
	uint##bits##_t __tsan_atomic##bits##_exchange(                                           \
		volatile uint##bits##_t *at, uint##bits##_t value, int order);                   \
	uint##bits##_t __tsan_atomic##bits##_exchange(                                           \
		volatile uint##bits##_t *at, uint##bits##_t value, int order)                    \
	{                                                                                        \
		(void)order;                                                                     \
		point((const void *)at, POINT_ATOMIC);                                           \
		return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                         \
	}                                                                                        \
	FETCH(bits, add, __atomic_fetch_add)                                                     \
	FETCH(bits, sub, __atomic_fetch_sub)                                                     \
	FETCH(bits, and, __atomic_fetch_and)                                                     \
	FETCH(bits, or, __atomic_fetch_or)                                                       \
	FETCH(bits, xor, __atomic_fetch_xor)                                                     \
	EXCHANGE(bits, strong)                                                                   \
	EXCHANGE(bits, weak)                                                                     \
	EXCHANGE_VALUE(bits)

/* clang-format off */
PLAIN(1) PLAIN(2) PLAIN(4) PLAIN(8) PLAIN(16)
ATOMIC(8) ATOMIC(16) ATOMIC(32) ATOMIC(64)
	/* clang-format on */

	void __tsan_init(void);
void __tsan_func_entry(const void *from);
void __tsan_func_exit(void);
void __tsan_read_range(const void *at, size_t n);
void __tsan_write_range(void *at, size_t n);
void __tsan_vptr_read(void **at);
void __tsan_vptr_update(void **at, void *value);
void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);
void *__tsan_memcpy(void *to, const void *from, size_t n);
void *__tsan_memmove(void *to, const void *from, size_t n);
void *__tsan_memset(void *to, int byte, size_t n);

void __tsan_init(void)
{
}

void __tsan_func_entry(const void *from)
{
	sched_call(from);
}

void __tsan_func_exit(void)
{
	sched_return();
}

void __tsan_read_range(const void *at, size_t n)
{
	if (n)
		point(at, POINT_READ);
}

void __tsan_write_range(void *at, size_t n)
{
	if (n)
		point(at, POINT_WRITE);
}

void __tsan_vptr_read(void **at)
{
	point(at, POINT_READ);
}

void __tsan_vptr_update(void **at, void *value)
{
	(void)value;
	point(at, POINT_WRITE);
}

void __tsan_atomic_thread_fence(int order)
{
	(void)order;
	sched_point(POINT_ATOMIC);
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}

/* Pages are copied piece by piece; what lies between may happen to either page. */
void *sim_memcpy(void *to, const void *from, size_t n)
{
	for (size_t done = 0; done < n; done += SAME_PIECE) {
		size_t piece = n - done < SAME_PIECE ? n - done : SAME_PIECE;

		point((const char *)from + done, POINT_READ);
		point((char *)to + done, POINT_WRITE);
		memcpy((char *)to + done, (const char *)from + done, piece);
	}
	return to;
}

void *sim_memset(void *to, int byte, size_t n)
{
	for (size_t done = 0; done < n; done += SAME_PIECE) {
		size_t piece = n - done < SAME_PIECE ? n - done : SAME_PIECE;

		point((char *)to + done, POINT_WRITE);
		memset((char *)to + done, byte, piece);
	}
	return to;
}

void *__tsan_memcpy(void *to, const void *from, size_t n)
{
	return sim_memcpy(to, from, n);
}

void *__tsan_memmove(void *to, const void *from, size_t n)
{
	point(from, POINT_READ);
	point(to, POINT_WRITE);
	return memmove(to, from, n);
}

void *__tsan_memset(void *to, int byte, size_t n)
{
	return sim_memset(to, byte, n);
}
