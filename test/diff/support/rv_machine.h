// Runs a bare-metal program on a whole machine of ours.
#ifndef BERTH_TEST_DIFF_RV_MACHINE_H
#define BERTH_TEST_DIFF_RV_MACHINE_H

#include "exec/cpu.h"

// Boots the ELF file with its console on stdout; returns the test device's code, 0 for a good end.
int machine_program(const char *path, const struct cpu_settings *set);

#endif
