// SPDX-License-Identifier: MIT
/*
 * Devices of a register or two: the goldfish RTC and the SiFive test finisher.
 */
#include <drivers/devices.h>
#include <drivers/host.h>

#define RTC_LOW  0x00 /* reading it latches the high half */
#define RTC_HIGH 0x04

#define FINISHER_FAIL  0x3333
#define FINISHER_PASS  0x5555
#define FINISHER_RESET 0x7777

static uint8_t *rtc, *finisher;

void rtc_init(uint64_t pa, size_t bytes)
{
	rtc = drv_map_registers(pa, bytes);
}

uint64_t rtc_now_ns(void)
{
	uint64_t low;

	if (!rtc)
		return 0;
	low = drv_read32(rtc + RTC_LOW);
	return (uint64_t)drv_read32(rtc + RTC_HIGH) << 32 | low;
}

void finisher_init(uint64_t pa, size_t bytes)
{
	finisher = drv_map_registers(pa, bytes);
}

void finisher_exit(int status)
{
	if (!finisher)
		return;
	drv_write32(
		finisher, status ? ((uint32_t)status & 0xff) << 16 | FINISHER_FAIL : FINISHER_PASS);
}

void finisher_reset(void)
{
	if (finisher)
		drv_write32(finisher, FINISHER_RESET);
}
