// Names of engines, dumps, passes and torture settings, for every host that takes them as text; and
// the text of statistics. The rows are in switches.def.
#ifndef BERTH_EXEC_SWITCHES_H
#define BERTH_EXEC_SWITCHES_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"

enum {
#define DUMP(letter, id, what) DUMP_BIT_##id,
#include "exec/switches.def"
};
enum cpu_dump {
#define DUMP(letter, id, what) DUMP_##id = 1 << DUMP_BIT_##id,
#include "exec/switches.def"
};

enum {
#define PASS(name, id, what) PASS_BIT_##id,
#include "exec/switches.def"
};
enum cpu_pass {
#define PASS(name, id, what) PASS_##id = 1 << PASS_BIT_##id,
#include "exec/switches.def"
};

enum {
#define TORTURE(name, id, what) TORTURE_BIT_##id,
#include "exec/switches.def"
};
enum cpu_torture {
#define TORTURE(name, id, what) TORTURE_##id = 1 << TORTURE_BIT_##id,
#include "exec/switches.def"
};

struct cpu_stats {
#define STAT(name, what) u64 name;
#include "exec/switches.def"
};

struct cpu_settings;

// One option as text into the settings: "engine" (a name), "dump" (letters), "no" (passes, by
// comma), "torture" (names, by comma). 0, or <0 with a message that names what there is.
int cpu_set_switch(struct cpu_settings *set, const char *option, const char *value,
                   struct err *err);
// Every name with what it means, for --help: lines indented by two.
void cpu_list_switches(struct buf *out);

// "name=value" lines for programs; a line a figure, without those that are 0, for people.
void cpu_stats_records(const struct cpu_stats *st, struct buf *out);
void cpu_stats_text(const struct cpu_stats *st, u64 ns, struct buf *out);

#endif
