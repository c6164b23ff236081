// SPDX-License-Identifier: MIT
/*
 * virtio-console (Virtual I/O Device 1.1, section 5.3), its first port: the second line, for logs.
 *
 * Bytes to send wait in a ring; one stretch of it at a time is with the device.
 */
#include <drivers/devices.h>
#include <drivers/host.h>
#include <errno.h>

#include "mmio.h"

enum { QUEUE_RX = 0, QUEUE_TX = 1 };

#define TX_BYTES 16384
#define RX_BYTES 256

static struct {
	struct virtio *dev; /* [I] NULL: no console */
	struct drv_lock lock;
	struct virtq rx, tx; /* [lock] */
	char *ring;          /* [I] TX_BYTES */
	char *input;         /* with the device, or with the interrupt handler */
	uint32_t head, tail; /* [lock] sent and queued so far, modulo 2^32 */
	uint32_t sending;    /* [lock] bytes from head on that the device has */
	void (*received)(void *arg, const char *bytes, size_t n);
	void (*writable)(void *arg);
	void *arg;
} console;

/* Give the device the next stretch, if it has none. Locked. */
static void transmit(void)
{
	uint32_t at = console.head % TX_BYTES, n = console.tail - console.head;
	struct virtq_buffer buffer;

	if (console.sending || !n)
		return;
	if (n > TX_BYTES - at)
		n = TX_BYTES - at;
	buffer = (struct virtq_buffer){console.ring + at, n};
	if (virtq_add(&console.tx, &buffer, 1, 1, &console))
		return;
	console.sending = n;
	virtio_notify(console.dev, QUEUE_TX);
}

/* Take back what was sent. Locked. */
static void reap(void)
{
	uint32_t bytes;

	if (virtq_take(&console.tx, &bytes)) {
		console.head += console.sending;
		console.sending = 0;
	}
	transmit();
}

static void offer_input(void)
{
	struct virtq_buffer buffer = {console.input, RX_BYTES};

	if (virtq_add(&console.rx, &buffer, 1, 0, &console) == 0)
		virtio_notify(console.dev, QUEUE_RX);
}

static void interrupt(void *arg)
{
	uint64_t flags = drv_lock_take(&console.lock);
	uint32_t n = 0;
	bool input;

	(void)arg;
	virtio_ack(console.dev);
	reap();
	input = virtq_take(&console.rx, &n) != NULL;
	drv_lock_drop(&console.lock, flags);
	if (input && console.received)
		console.received(console.arg, console.input, n < RX_BYTES ? n : RX_BYTES);
	if (console.writable)
		console.writable(console.arg);
	if (input) {
		flags = drv_lock_take(&console.lock);
		offer_input();
		drv_lock_drop(&console.lock, flags);
	}
}

bool vconsole_present(void)
{
	return console.dev;
}

size_t vconsole_write(const char *text, size_t bytes)
{
	uint64_t flags;
	size_t n = 0;

	if (!console.dev)
		return bytes;
	flags = drv_lock_take(&console.lock);
	while (n < bytes && console.tail - console.head < TX_BYTES)
		console.ring[console.tail++ % TX_BYTES] = text[n++];
	transmit();
	drv_lock_drop(&console.lock, flags);
	return n;
}

bool vconsole_idle(void)
{
	return !console.dev || *(volatile uint32_t *)&console.head == console.tail;
}

void vconsole_set_callbacks(void (*received)(void *arg, const char *bytes, size_t n),
	void (*writable)(void *arg), void *arg)
{
	console.arg = arg;
	console.received = received;
	console.writable = writable;
}

void vconsole_write_now(const char *text, size_t bytes)
{
	if (!console.dev)
		return;
	for (size_t i = 0; i < bytes; i++) {
		while (console.tail - console.head == TX_BYTES)
			reap();
		console.ring[console.tail++ % TX_BYTES] = text[i];
	}
	do
		reap();
	while (console.head != console.tail);
}

static int set_up(struct virtio *dev)
{
	uint64_t features;
	int err = virtio_begin(dev, 0, &features);

	if (err)
		return err;
	err = virtio_queue(dev, QUEUE_RX, &console.rx, 4, 0);
	if (err)
		return err;
	return virtio_queue(dev, QUEUE_TX, &console.tx, 4, 0);
}

int virtio_console_init(struct virtio *dev)
{
	int err;

	if (console.dev)
		return -EEXIST;
	console.ring = drv_dma_alloc(TX_BYTES);
	console.input = drv_dma_alloc(RX_BYTES);
	if (!console.ring || !console.input)
		return -ENOMEM;
	drv_lock_init(&console.lock, "virtio-console", DRV_RANK_CONSOLE);
	err = set_up(dev);
	if (err)
		return err;
	err = drv_irq_register(dev->irq, interrupt, NULL);
	if (err)
		return err;
	virtio_ready(dev);
	console.dev = dev;
	offer_input();
	return 0;
}
