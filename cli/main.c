// The `berth` command: picks the subcommand. Everything it does is in the subcommands' own files.
#include <stdio.h>
#include <string.h>

#include "cli.h"

#define VERSION "0.1.0"

static const struct command {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"run", cli_run, "run a command in a new container"},
    {"machine", cli_machine, "boot a kernel image with a serial console"},
    {"inspect", cli_inspect, "show what is in an image"},
};

static void usage(FILE *f) {
    fputs("Usage: berth COMMAND [ARGUMENTS]\n\n"
          "Runs unmodified Linux containers in a virtual machine of its own.\n\n"
          "Commands:\n",
          f);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].help);
    fputs("\nOptions:\n"
          "  --help     this text; \"berth COMMAND --help\" for a command's own\n"
          "  --version  print the version\n",
          f);
}

static bool is(const char *arg, const char *a, const char *b) {
    return strcmp(arg, a) == 0 || strcmp(arg, b) == 0;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (is(argv[1], "--help", "-h") || is(argv[1], "help", "-help")) {
        usage(stdout);
        return 0;
    }
    if (is(argv[1], "--version", "-v")) {
        puts("berth " VERSION);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].main(argc - 1, argv + 1);
    cli_error("unknown command \"%s\"; see \"berth --help\"", argv[1]);
    return EXIT_USAGE;
}
