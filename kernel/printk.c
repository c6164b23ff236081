// SPDX-License-Identifier: MIT
/*
 * The log ring. Positions count bytes since boot and never wrap; a byte's place is its position
 * modulo the size. `sent` is how far the sink has got; the sink is given more whenever a line is
 * added, and when it says that it can take more.
 */
#include <kernel/cpu.h>
#include <kernel/printk.h>
#include <kernel/format.h>
#include <kernel/time.h>
#include <string.h>

#include "log.h"

#define RING_BYTES 16384
#define LINE_BYTES 256

static struct spinlock log_lock = SPINLOCK_INIT("log", RANK_LOG);
static char ring[RING_BYTES];                          /* [lock] */
static uint64_t written, sent;                         /* [lock] positions */
static size_t (*sink)(const char *text, size_t bytes); /* [lock] */

static void add(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		ring[written++ % RING_BYTES] = text[i];
	if (written - sent > RING_BYTES)
		sent = written - RING_BYTES;
}

static void feed_sink(void)
{
	while (sink && sent < written) {
		size_t at = sent % RING_BYTES;
		size_t bytes = written - sent;
		size_t n;

		if (bytes > RING_BYTES - at)
			bytes = RING_BYTES - at;
		n = sink(&ring[at], bytes);
		sent += n;
		if (n < bytes)
			break;
	}
}

void vprintk(enum log_level level, const char *format, va_list args)
{
	uint64_t now = time_now_ns() / NS_PER_US, flags;
	char line[LINE_BYTES];
	int n, m;

	if (level > LOG_KEPT)
		return;
	n = ksnprintf(line, sizeof(line), "[%5lu.%06lu] ", now / 1000000, now % 1000000);
	m = kvsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, args);
	n += m;
	if (n > LINE_BYTES - 2)
		n = LINE_BYTES - 2;
	line[n++] = '\n';
	flags = spin_lock_irqsave(&log_lock);
	add(line, (size_t)n);
	feed_sink();
	spin_unlock_irqrestore(&log_lock, flags);
}

void printk(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintk(level, format, args);
	va_end(args);
}

void log_set_sink(size_t (*write)(const char *text, size_t bytes))
{
	uint64_t flags = spin_lock_irqsave(&log_lock);

	sink = write;
	feed_sink();
	spin_unlock_irqrestore(&log_lock, flags);
}

void log_sink_ready(void)
{
	uint64_t flags = spin_lock_irqsave(&log_lock);

	feed_sink();
	spin_unlock_irqrestore(&log_lock, flags);
}

size_t log_read(uint64_t *position, char *to, size_t size)
{
	uint64_t flags = spin_lock_irqsave(&log_lock);
	size_t n = 0;

	if (written > RING_BYTES && *position < written - RING_BYTES)
		*position = written - RING_BYTES;
	while (n < size && *position < written)
		to[n++] = ring[(*position)++ % RING_BYTES];
	spin_unlock_irqrestore(&log_lock, flags);
	return n;
}

void log_flush_now(void (*write)(const char *text, size_t bytes))
{
	for (; sent < written; sent++)
		write(&ring[sent % RING_BYTES], 1);
}
