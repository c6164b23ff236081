// SPDX-License-Identifier: MIT
/*
 * firmware.h by means of SBI calls.
 *
 * The firmware takes hart masks relative to a base id. The ids of a machine's harts nearly always
 * fit in one mask above the lowest; harts beyond are left to a second call.
 */
#include <arch/cpu.h>
#include <arch/firmware.h>
#include <arch_impl/csr.h>

#include "cpu_ids.h"
#include "sbi.h"

/*
 * "Never" masks the interrupt and leaves the comparator alone: a deadline at the end of time would
 * be one to which a machine on an instruction clock jumps as soon as it idles, and nothing comes
 * after it.
 */
void firmware_timer_set(uint64_t when)
{
	if (when == UINT64_MAX) {
		csr_clear(sie, SIE_TIMER);
		return;
	}
	if (cpu_has_sstc)
		csr_write(0x14d, when); /* stimecmp */
	else
		sbi_call(SBI_TIME, 0, when, 0, 0, 0, 0);
	csr_set(sie, SIE_TIMER);
}

/* Call function of an extension that takes (mask, base, 0, bytes), for all harts of the mask. */
static void for_harts(
	uint64_t hart_mask, enum sbi_extension extension, unsigned function, uint64_t bytes)
{
	while (hart_mask) {
		uint64_t ids = 0, base = UINT64_MAX;

		for (unsigned i = 0; i < MAX_HARTS; i++)
			if ((hart_mask >> i & 1) && cpu_hart_ids[i] < base)
				base = cpu_hart_ids[i];
		for (unsigned i = 0; i < MAX_HARTS; i++) {
			if (!(hart_mask >> i & 1) || cpu_hart_ids[i] - base >= 64)
				continue;
			ids |= 1UL << (cpu_hart_ids[i] - base);
			hart_mask &= ~(1UL << i);
		}
		sbi_call(extension, function, ids, base, 0, bytes, 0);
	}
}

void firmware_send_ipi(uint64_t hart_mask)
{
	__atomic_fetch_add(&arch_cpu()->ipis_sent, 1, __ATOMIC_RELAXED);
	for_harts(hart_mask, SBI_IPI, 0, 0);
}

void firmware_remote_fence(uint64_t hart_mask)
{
	for_harts(hart_mask, SBI_RFENCE, SBI_RFENCE_VMA, UINT64_MAX);
}

void firmware_power_off(void)
{
	sbi_call(SBI_RESET, 0, 0, 0, 0, 0, 0);
}

void firmware_restart(void)
{
	sbi_call(SBI_RESET, 0, 1, 0, 0, 0, 0);
}
