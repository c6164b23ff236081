// SPDX-License-Identifier: MIT
/*
 * What the firmware below the kernel does for it. Harts are named by their hart ids here; sets of
 * harts are masks of the kernel's hart indices, which arch maps to ids.
 */
#pragma once

#include <arch/types.h>

/* Interrupt this hart (trap_timer()) once cpu_time() >= when; UINT64_MAX: never. */
void firmware_timer_set(uint64_t when);

/* Interrupt the harts of the mask (trap_ipi()). */
void firmware_send_ipi(uint64_t hart_mask);

/* Harts of the mask forget all translations. */
void firmware_remote_fence(uint64_t hart_mask);

/* Power off or restart, where there is no device for it. Returns when the firmware cannot. */
void firmware_power_off(void);
void firmware_restart(void);
