// SPDX-License-Identifier: MIT
/*
 * virtio-mmio: finding the devices, and starting them as section 3.1.1 of the specification says.
 */
#include <drivers/devices.h>
#include <drivers/host.h>
#include <errno.h>

#include "mmio.h"

enum {
	REG_MAGIC = 0x000,
	REG_VERSION = 0x004,
	REG_ID = 0x008,
	REG_DEVICE_FEATURES = 0x010,
	REG_DEVICE_FEATURES_SEL = 0x014,
	REG_DRIVER_FEATURES = 0x020,
	REG_DRIVER_FEATURES_SEL = 0x024,
	REG_QUEUE_SEL = 0x030,
	REG_QUEUE_MAX = 0x034,
	REG_QUEUE_SIZE = 0x038,
	REG_QUEUE_READY = 0x044,
	REG_NOTIFY = 0x050,
	REG_IRQ_STATUS = 0x060,
	REG_IRQ_ACK = 0x064,
	REG_STATUS = 0x070,
	REG_QUEUE_DESC = 0x080,
	REG_QUEUE_DRIVER = 0x090,
	REG_QUEUE_DEVICE = 0x0a0,
	REG_CONFIG = 0x100,
};

enum {
	STATUS_ACKNOWLEDGE = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_FAILED = 128,
};

#define MAGIC     0x74726976
#define MODERN    2
#define MAX_SLOTS 32

static uint32_t get(const struct virtio *dev, unsigned reg)
{
	return drv_read32(dev->registers + reg);
}

static void put(struct virtio *dev, unsigned reg, uint32_t value)
{
	drv_write32(dev->registers + reg, value);
}

static void put64(struct virtio *dev, unsigned reg, uint64_t value)
{
	put(dev, reg, (uint32_t)value);
	put(dev, reg + 4, (uint32_t)(value >> 32));
}

static uint64_t device_features(struct virtio *dev)
{
	uint64_t low;

	put(dev, REG_DEVICE_FEATURES_SEL, 0);
	low = get(dev, REG_DEVICE_FEATURES);
	put(dev, REG_DEVICE_FEATURES_SEL, 1);
	return (uint64_t)get(dev, REG_DEVICE_FEATURES) << 32 | low;
}

int virtio_begin(struct virtio *dev, uint64_t wanted, uint64_t *accepted)
{
	put(dev, REG_STATUS, 0);
	put(dev, REG_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	wanted = device_features(dev) & (wanted | FEATURE(VIRTIO_F_VERSION_1));
	put(dev, REG_DRIVER_FEATURES_SEL, 0);
	put(dev, REG_DRIVER_FEATURES, (uint32_t)wanted);
	put(dev, REG_DRIVER_FEATURES_SEL, 1);
	put(dev, REG_DRIVER_FEATURES, (uint32_t)(wanted >> 32));
	put(dev, REG_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	*accepted = wanted;
	return get(dev, REG_STATUS) & STATUS_FEATURES_OK ? 0 : -ENODEV;
}

static uint16_t power_of_two_below(uint32_t n)
{
	uint16_t power = 1;

	while (power < VIRTQ_MAX && power * 2u <= n)
		power = (uint16_t)(power * 2);
	return power;
}

int virtio_queue(
	struct virtio *dev, unsigned index, struct virtq *vq, uint16_t size, uint16_t table_slots)
{
	uint32_t max;
	int err;

	put(dev, REG_QUEUE_SEL, index);
	max = get(dev, REG_QUEUE_MAX);
	if (!max || get(dev, REG_QUEUE_READY))
		return -ENODEV;
	err = virtq_init(vq, power_of_two_below(max < size ? max : size), table_slots);
	if (err)
		return err;
	put(dev, REG_QUEUE_SIZE, vq->size);
	put64(dev, REG_QUEUE_DESC, drv_dma_address(vq->desc));
	put64(dev, REG_QUEUE_DRIVER, drv_dma_address(vq->avail));
	put64(dev, REG_QUEUE_DEVICE, drv_dma_address(vq->used));
	put(dev, REG_QUEUE_READY, 1);
	return 0;
}

void virtio_ready(struct virtio *dev)
{
	put(dev, REG_STATUS, get(dev, REG_STATUS) | STATUS_DRIVER_OK);
}

void virtio_give_up(struct virtio *dev)
{
	put(dev, REG_STATUS, get(dev, REG_STATUS) | STATUS_FAILED);
}

void virtio_notify(struct virtio *dev, unsigned queue)
{
	put(dev, REG_NOTIFY, queue);
}

void virtio_ack(struct virtio *dev)
{
	put(dev, REG_IRQ_ACK, get(dev, REG_IRQ_STATUS));
}

uint32_t virtio_config32(struct virtio *dev, unsigned offset)
{
	return get(dev, REG_CONFIG + offset);
}

uint64_t virtio_config64(struct virtio *dev, unsigned offset)
{
	return (uint64_t)virtio_config32(dev, offset + 4) << 32 | virtio_config32(dev, offset);
}

static int start(struct virtio *dev)
{
	switch (dev->id) {
	case VIRTIO_BLK:
		return virtio_blk_init(dev);
	case VIRTIO_CONSOLE:
		return virtio_console_init(dev);
	case VIRTIO_RNG:
		return virtio_rng_init(dev);
	default:
		return -ENODEV;
	}
}

static void probe(uint64_t address, uint64_t bytes, unsigned irq)
{
	struct virtio slot = {drv_map_registers(address, bytes), irq, 0}, *dev;
	int err;

	if (!slot.registers || get(&slot, REG_MAGIC) != MAGIC)
		return;
	slot.id = get(&slot, REG_ID);
	if (!slot.id)
		return; /* an empty slot */
	if (get(&slot, REG_VERSION) != MODERN) {
		drv_log("virtio at %#lx: legacy, needs force-legacy=false", (unsigned long)address);
		return;
	}
	dev = drv_alloc(sizeof(*dev));
	if (!dev)
		return;
	*dev = slot;
	err = start(dev);
	if (err) {
		virtio_give_up(dev);
		drv_log("virtio at %#lx: device %u not started, error %d", (unsigned long)address,
			dev->id, err);
	}
}

struct slot {
	uint64_t address, bytes;
	uint32_t irq;
};

/* Names of disks follow the addresses, which the tree need not. */
static void insert(struct slot *slots, unsigned n, struct slot new)
{
	for (; n > 0 && slots[n - 1].address > new.address; n--)
		slots[n] = slots[n - 1];
	slots[n] = new;
}

void virtio_probe_all(const struct fdt *fdt)
{
	struct slot slots[MAX_SLOTS], new;
	fdt_node_t node = FDT_NONE, soc = fdt_find(fdt, "/soc");
	unsigned n = 0;

	while (n < MAX_SLOTS) {
		node = fdt_find_compatible(fdt, node, "virtio,mmio");
		if (node == FDT_NONE)
			break;
		if (fdt_reg(fdt, soc == FDT_NONE ? fdt_root(fdt) : soc, node, 0, &new.address,
			    &new.bytes) &&
			fdt_cell(fdt, node, "interrupts", 0, &new.irq))
			insert(slots, n++, new);
	}
	for (unsigned i = 0; i < n; i++)
		probe(slots[i].address, slots[i].bytes, slots[i].irq);
}
