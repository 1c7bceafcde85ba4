// The `berth` command: what its subcommands share.
#ifndef BERTH_CLI_H
#define BERTH_CLI_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/types.h"

// Exit statuses of the command itself, as docker has them; others are the container's.
enum { EXIT_USAGE = 2, EXIT_BERTH = 125 };

// Subcommands: argv[0] is the subcommand's name. Return the process's exit status.
int cli_run(int argc, char **argv);
int cli_machine(int argc, char **argv);
int cli_inspect(int argc, char **argv);

// "berth: message" on stderr.
void cli_error(const char *fmt, ...) PRINTF_LIKE(1, 2);

// "512M", "1G", "65536": bytes with an optional binary suffix (k, m, g, also "MiB"). <0: not a
// size.
int cli_parse_size(const char *text, u64 *bytes);

// A whole file, at most `max` bytes.
int cli_read_file(const char *path, u64 max, struct buf *out, struct err *err);

// Where the guest's files of an architecture are: $BERTH_GUEST_DIR, beside the executable
// (guest/ARCH), or in ../share/berth/ARCH. `path` gets the file's path.
int cli_guest_file(const char *arch, const char *name, char *path, size_t cap, struct err *err);

// Logger to stderr: warnings, or everything when `verbose`.
struct log cli_log(bool verbose);

#endif
