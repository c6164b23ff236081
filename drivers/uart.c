// SPDX-License-Identifier: MIT
/*
 * NS16550A. Bytes to send wait in a ring; the transmitter's interrupt moves them on, a FIFO's worth
 * at a time, and is enabled only while there are any.
 */
#include <drivers/host.h>
#include <drivers/uart.h>

enum { REG_DATA = 0, REG_IER = 1, REG_FCR = 2, REG_LCR = 3, REG_MCR = 4, REG_LSR = 5 };

#define IER_RX   1
#define IER_TX   2
#define FCR_ON   7 /* FIFOs on, both emptied */
#define LCR_8N1  3
#define MCR_OUT2 8 /* lets the interrupt line through */
#define LSR_RX   0x01
#define LSR_TX   0x20 /* the transmit FIFO is empty */
#define LSR_IDLE 0x40

#define TX_BYTES 8192
#define TX_FIFO  16
#define RX_BATCH 64

static struct {
	struct drv_lock lock;
	uint8_t *registers;  /* [I] NULL: no UART */
	unsigned shift;      /* [I] */
	char tx[TX_BYTES];   /* [lock] */
	uint32_t head, tail; /* [lock] sent and queued so far, modulo 2^32 */
	bool tx_irq;         /* [lock] */
	void (*received)(void *arg, const char *bytes, size_t n); /* [I] once set */
	void (*writable)(void *arg);
	void *arg;
} uart;

static uint8_t get(unsigned reg)
{
	return drv_read8(uart.registers + (reg << uart.shift));
}

static void put(unsigned reg, uint8_t value)
{
	drv_write8(uart.registers + (reg << uart.shift), value);
}

/* Fill the FIFO if it is empty; the interrupt follows when it is so again. Locked. */
static void transmit(void)
{
	bool more;

	if (get(REG_LSR) & LSR_TX)
		for (unsigned i = 0; i < TX_FIFO && uart.head != uart.tail; i++)
			put(REG_DATA, (uint8_t)uart.tx[uart.head++ % TX_BYTES]);
	more = uart.head != uart.tail;
	if (more != uart.tx_irq) {
		uart.tx_irq = more;
		put(REG_IER, more ? IER_RX | IER_TX : IER_RX);
	}
}

static size_t receive(char *bytes)
{
	size_t n = 0;

	while (n < RX_BATCH && (get(REG_LSR) & LSR_RX))
		bytes[n++] = (char)get(REG_DATA);
	return n;
}

static void interrupt(void *arg)
{
	char bytes[RX_BATCH];
	uint64_t flags = drv_lock_take(&uart.lock);
	size_t n = receive(bytes);
	uint32_t before = uart.tail - uart.head, after;
	bool room;

	(void)arg;
	transmit();
	after = uart.tail - uart.head;
	room = before != after && (!after || (before > TX_BYTES / 2 && after <= TX_BYTES / 2));
	drv_lock_drop(&uart.lock, flags);
	if (n && uart.received)
		uart.received(uart.arg, bytes, n);
	if (room && uart.writable)
		uart.writable(uart.arg);
}

int uart_init(uint64_t pa, unsigned irq, unsigned stride_shift)
{
	drv_lock_init(&uart.lock, "uart", DRV_RANK_CONSOLE);
	uart.registers = drv_map_registers(pa, (size_t)8 << stride_shift);
	uart.shift = stride_shift;
	put(REG_IER, 0);
	put(REG_LCR, LCR_8N1);
	put(REG_FCR, FCR_ON);
	put(REG_MCR, MCR_OUT2);
	put(REG_IER, IER_RX);
	return drv_irq_register(irq, interrupt, NULL);
}

size_t uart_write(const char *text, size_t bytes)
{
	uint64_t flags;
	size_t n = 0;

	if (!uart.registers)
		return bytes;
	flags = drv_lock_take(&uart.lock);
	while (n < bytes && uart.tail - uart.head < TX_BYTES)
		uart.tx[uart.tail++ % TX_BYTES] = text[n++];
	if (!uart.tx_irq)
		transmit();
	drv_lock_drop(&uart.lock, flags);
	return n;
}

size_t uart_unsent(void)
{
	uint64_t flags = drv_lock_take(&uart.lock);
	size_t n = uart.tail - uart.head;

	drv_lock_drop(&uart.lock, flags);
	return n;
}

size_t uart_room(void)
{
	return TX_BYTES - uart_unsent();
}

void uart_flush(void)
{
	uint64_t flags = drv_lock_take(&uart.lock);

	uart.head = uart.tail;
	drv_lock_drop(&uart.lock, flags);
}

bool uart_idle(void)
{
	return !uart.registers || (uart.head == uart.tail && (get(REG_LSR) & LSR_IDLE));
}

void uart_set_callbacks(void (*received)(void *arg, const char *bytes, size_t n),
	void (*writable)(void *arg), void *arg)
{
	uart.arg = arg;
	uart.received = received;
	uart.writable = writable;
}

static void put_now(char c)
{
	while (!(get(REG_LSR) & LSR_TX))
		;
	put(REG_DATA, (uint8_t)c);
}

void uart_write_now(const char *text, size_t bytes)
{
	if (!uart.registers)
		return;
	while (uart.head != uart.tail)
		put_now(uart.tx[uart.head++ % TX_BYTES]);
	for (size_t i = 0; i < bytes; i++)
		put_now(text[i]);
}
