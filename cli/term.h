// The terminal and the signals of the command.
#ifndef BERTH_CLI_TERM_H
#define BERTH_CLI_TERM_H

#include "base/types.h"

// Remembers the terminal's settings and restores them however the process ends.
void term_init(void);
void term_quiet(void); // no echo, but Ctrl-C still works: while the guest boots
void term_raw(void);   // every byte is the guest's
void term_restore(void);
bool term_is_raw(void);
bool term_size(unsigned *cols, unsigned *rows); // of stdout or stdin; false: no terminal

// Signals become bytes of a pipe. signals_next returns the next signal's number, or 0.
int signals_init(void); // the fd to poll, or <0
int signals_next(void);

#endif
