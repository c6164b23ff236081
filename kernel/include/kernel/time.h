// SPDX-License-Identifier: MIT
/*
 * Clocks and timers.
 *
 * One clock, the machine's, read without a lock. Each hart keeps its timers in a heap and programs
 * its own hardware for the earliest; with none, and nobody to share the hart with, it sleeps
 * undisturbed.
 */
#pragma once

#include <arch/cpu.h>

#define NS_PER_SEC 1000000000UL
#define NS_PER_MS  1000000UL
#define NS_PER_US  1000UL

/* Once at boot: ticks a second of cpu_time(), from the device tree. */
void time_init(uint64_t hz);

/* The nanoseconds of a tick, and their fraction in units of 2^-64. */
extern struct time_rate {
	uint64_t ns, fraction;
} time_rate;

static inline uint64_t time_from_ticks(uint64_t ticks)
{
	unsigned __int128 parts = (unsigned __int128)ticks * time_rate.fraction;

	return ticks * time_rate.ns + (uint64_t)(parts >> 64);
}

/* Nanoseconds since power-on; never goes back. */
static inline uint64_t time_now_ns(void)
{
	return time_from_ticks(cpu_time());
}

/* The first tick at or after the time. UINT64_MAX stays. */
uint64_t time_to_ticks(uint64_t ns);

/* Nanoseconds since 1970, UTC; and setting it. Without an RTC it counts from 0. */
extern uint64_t time_realtime_offset_ns; /* [a] to the time since power-on */
static inline uint64_t time_realtime_ns(void)
{
	return time_now_ns() + __atomic_load_n(&time_realtime_offset_ns, __ATOMIC_RELAXED);
}
void time_set_realtime_ns(uint64_t ns);

/*
 * A timer: fn(timer) is called once, at or after when_ns, with interrupts off, on the hart that set
 * it. Zeroed memory with fn filled in is a timer that is not set. fn may set the timer again, and
 * may be the last to touch it.
 */
struct timer {
	void (*fn)(struct timer *timer);
	uint64_t when_ns;
	uint32_t hart;              /* whose heap it is in, valid while set */
	bool set;                   /* [timer queue's lock] */
	struct timer *child, *next; /* [timer queue's lock] heap links */
	struct timer *prev;         /* [timer queue's lock] parent or left sibling */
};

/* Set (or move) it. Any context; calls on one timer are serialized by the caller. */
void timer_set(struct timer *timer, uint64_t when_ns);
/*
 * Unset it. True: it will not fire. False: it was not set, and fn has been called or is being
 * called on another hart; timer_cancel_wait() returns only when fn has returned.
 */
bool timer_cancel(struct timer *timer);
void timer_cancel_wait(struct timer *timer);

/* The hart's timer interrupt (of user mode?), and setting its timers up. Interrupts off. */
void timer_interrupt(bool user);
void timer_init_hart(void);

/* The hart has left idleness: it ticks again. Interrupts off. */
void timer_start_tick(void);
/* This hart is about to wait for an interrupt; interrupts are off. */
void timer_before_idle(void);
