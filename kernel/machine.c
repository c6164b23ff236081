// SPDX-License-Identifier: MIT
/*
 * The machine as the device tree describes it.
 */
#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/pmap.h>
#include <drivers/devices.h>
#include <drivers/fdt.h>
#include <drivers/irqchip.h>
#include <drivers/uart.h>
#include <kernel/boot.h>
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/frames.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/random.h>
#include <kernel/time.h>
#include <string.h>

#include "machine.h"

#define MAX_BANKS      4
#define MAX_TREE       (2UL << 20)
#define IRQ_SUPERVISOR 9 /* the cpu's interrupt that the PLIC's S-mode context drives */

enum { UART, PLIC, FINISHER, CLOCK, N_PARTS };

static struct fdt tree;
static fdt_node_t soc; /* what devices' registers are relative to */
static fdt_node_t parts[N_PARTS];
static const char *boot_isa = "rv64ima"; /* what there is at least */
static struct {
	paddr_t start, end;
} banks[MAX_BANKS];
static unsigned n_banks;
static paddr_t initrd_start, initrd_end;
static uint32_t intc_handles[MAX_HARTS]; /* phandle of each hart's own interrupt controller */

static void read_parts(void)
{
	static const char *const compatible[N_PARTS] = {
		[UART] = "ns16550a",
		[PLIC] = "sifive,plic-1.0.0",
		[FINISHER] = "sifive,test1",
		[CLOCK] = "google,goldfish-rtc",
	};

	soc = fdt_find(&tree, "/soc");
	if (soc == FDT_NONE)
		soc = fdt_root(&tree);
	fdt_find_first(&tree, compatible, parts, N_PARTS);
}

static bool part_reg(unsigned part, uint64_t *address, uint64_t *size)
{
	return parts[part] != FDT_NONE && fdt_reg(&tree, soc, parts[part], 0, address, size);
}

static void read_memory(void)
{
	fdt_node_t root = fdt_root(&tree), node = fdt_first_child(&tree, root);

	for (; node != FDT_NONE; node = fdt_next_sibling(&tree, node)) {
		const char *type = fdt_string(&tree, node, "device_type");
		uint64_t start, size;

		if (!type || strcmp(type, "memory") != 0)
			continue;
		for (unsigned i = 0; fdt_reg(&tree, root, node, i, &start, &size); i++) {
			if (n_banks == MAX_BANKS || start >= DIRECT_SIZE)
				break;
			if (size > DIRECT_SIZE - start)
				size = DIRECT_SIZE - start;
			banks[n_banks].start = start;
			banks[n_banks++].end = start + size;
			frames_add(start, start + size);
		}
	}
	if (!n_banks)
		panic("the device tree names no memory");
}

static void read_reservations(void)
{
	fdt_node_t parent = fdt_find(&tree, "/reserved-memory");
	uint64_t start, size;

	for (unsigned i = 0; fdt_reservation(&tree, i, &start, &size); i++)
		frames_reserve(start, start + size);
	if (parent == FDT_NONE)
		return;
	for (fdt_node_t node = fdt_first_child(&tree, parent); node != FDT_NONE;
		node = fdt_next_sibling(&tree, node))
		if (fdt_reg(&tree, parent, node, 0, &start, &size))
			frames_reserve(start, start + size);
}

static void add_hart(fdt_node_t node, uint64_t id)
{
	fdt_node_t intc = fdt_first_child(&tree, node);
	const char *isa = fdt_string(&tree, node, "riscv,isa");
	unsigned index = id == cpus[0].arch.hart_id ? 0 : cpu_count;

	if (index && index == MAX_HARTS)
		return;
	cpus[index].arch.hart_id = id;
	cpus[index].arch.index = index;
	cpus[index].arch.bit = 1UL << index;
	if (index)
		cpu_count++;
	else if (isa)
		arch_set_isa(isa);
	if (isa && !index)
		boot_isa = isa;
	while (intc != FDT_NONE && !fdt_cell(&tree, intc, "phandle", 0, &intc_handles[index]))
		intc = fdt_next_sibling(&tree, intc);
}

static void read_harts(void)
{
	fdt_node_t parent = fdt_find(&tree, "/cpus");
	uint64_t hz = 0, id, size;

	cpu_count = 1; /* this one */
	if (parent == FDT_NONE || !fdt_number(&tree, parent, "timebase-frequency", &hz) || !hz)
		panic("the device tree names no clock frequency");
	time_init(hz);
	for (fdt_node_t node = fdt_first_child(&tree, parent); node != FDT_NONE;
		node = fdt_next_sibling(&tree, node)) {
		const char *type = fdt_string(&tree, node, "device_type");

		if (type && strcmp(type, "cpu") == 0 && fdt_enabled(&tree, node) &&
			fdt_reg(&tree, parent, node, 0, &id, &size))
			add_hart(node, id);
	}
}

static void read_chosen(void)
{
	fdt_node_t chosen = fdt_find(&tree, "/chosen");
	const char *text;
	const void *seed;
	uint32_t bytes;
	uint64_t start, end;

	if (chosen == FDT_NONE)
		return;
	text = fdt_string(&tree, chosen, "bootargs");
	if (text)
		boot_set_line((char *)text); /* the blob is ours */
	seed = fdt_property(&tree, chosen, "rng-seed", &bytes);
	if (seed)
		random_add(seed, bytes);
	if (fdt_number(&tree, chosen, "linux,initrd-start", &start) &&
		fdt_number(&tree, chosen, "linux,initrd-end", &end) && end > start) {
		initrd_start = start;
		initrd_end = end;
		frames_reserve(start, end);
	}
}

void machine_read_tree(const void *blob, paddr_t pa)
{
	if (fdt_open(&tree, blob, MAX_TREE))
		panic("no device tree at %#lx", pa);
	frames_reserve(pa, pa + tree.bytes);
	read_parts();
	read_memory();
	read_reservations();
	read_harts();
	read_chosen();
}

void machine_map_memory(void)
{
	for (unsigned i = 0; i < n_banks; i++)
		pmap_map_memory(banks[i].start, banks[i].end);
}

unsigned machine_irq_context(unsigned hart_index)
{
	fdt_node_t plic = parts[PLIC];
	uint32_t handle, irq;

	if (plic == FDT_NONE)
		return 0;
	for (unsigned i = 0; fdt_cell(&tree, plic, "interrupts-extended", 2 * i, &handle) &&
			     fdt_cell(&tree, plic, "interrupts-extended", 2 * i + 1, &irq);
		i++)
		if (handle == intc_handles[hart_index] && irq == IRQ_SUPERVISOR)
			return i;
	return 0;
}

static void init_uart(void)
{
	uint64_t address, size;
	uint32_t irq = 0, shift = 0;

	if (!part_reg(UART, &address, &size))
		return;
	fdt_cell(&tree, parts[UART], "interrupts", 0, &irq);
	fdt_cell(&tree, parts[UART], "reg-shift", 0, &shift);
	if (uart_init(address, irq, shift))
		pr_warning("uart: no interrupt %u", irq);
}

void machine_init_basics(void)
{
	uint64_t address, size;

	if (part_reg(FINISHER, &address, &size))
		finisher_init(address, size);
	if (part_reg(PLIC, &address, &size))
		irqchip_init(address, size);
	irqchip_init_hart(0, machine_irq_context(0));
	init_uart();
	if (part_reg(CLOCK, &address, &size))
		rtc_init(address, size);
	time_set_realtime_ns(rtc_now_ns());
}

static void init_ramdisk(void)
{
	size_t bytes = page_align_up(boot_size("ramdisk", 0));
	paddr_t pa;

	if (initrd_end) {
		ramdisk_register(phys_to_virt(initrd_start), initrd_end - initrd_start);
		return;
	}
	if (!bytes)
		return;
	pa = frames_take_end(bytes);
	if (pa)
		ramdisk_register(memset(phys_to_virt(pa), 0, bytes), bytes);
	else
		pr_warning("ram0: no memory for %zu MiB", bytes >> 20);
}

static void log_ready(void *unused)
{
	(void)unused;
	log_sink_ready();
}

/* The log leaves through the second line if there is one. */
static void init_log(void)
{
	if (vconsole_present()) {
		vconsole_set_callbacks(NULL, log_ready, NULL);
		log_set_sink(vconsole_write);
	} else {
		uart_set_callbacks(NULL, log_ready, NULL);
		log_set_sink(uart_write);
	}
}

void machine_probe_devices(void)
{
	uint8_t seed[32];

	virtio_probe_all(&tree);
	init_log();
	init_ramdisk();
	random_add(seed, entropy_read(seed, sizeof(seed)));
}

const char *machine_isa(void)
{
	return boot_isa;
}
