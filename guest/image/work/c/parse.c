#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

typedef struct parser {
    const char *at;
    unsigned depth;
    enum parse_error error;
    jmp_buf failed;
} parser;

static void fail(parser *p, enum parse_error error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    p->error = error;
    longjmp(p->failed, 1);
}

static char peek(parser *p) {
    while (isspace((unsigned char)*p->at)) p->at++;
    return *p->at;
}

static double sum(parser *p);

static double atom(parser *p) {
    char c = peek(p);
    double v;
    switch (c) {
    case '(':
        p->at++;
        if (++p->depth > 100) fail(p, PARSE_SYNTAX, "nested too deeply\n");
        v = sum(p);
        if (peek(p) != ')') fail(p, PARSE_SYNTAX, "missing ) at \"%s\"\n", p->at);
        p->at++;
        p->depth--;
        return v;
    case '-':
        p->at++;
        return -atom(p);
    case '0' ... '9':
    case '.': {
        char *end;
        v = strtod(p->at, &end);
        p->at = end;
        return v;
    }
    default: fail(p, PARSE_SYNTAX, "unexpected '%c'\n", c ? c : '$');
    }
    return 0;
}

static double product(parser *p) {
    double v = atom(p);
    for (char c; (c = peek(p)) == '*' || c == '/';) {
        p->at++;
        double w = atom(p);
        if (c == '/' && w == 0) fail(p, PARSE_ZERO, "division by zero\n");
        v = c == '*' ? v * w : v / w;
    }
    return v;
}

static double sum(parser *p) {
    double v = product(p);
    for (char c; (c = peek(p)) == '+' || c == '-';) {
        p->at++;
        double w = product(p);
        v += c == '+' ? w : -w;
    }
    return v;
}

enum parse_error parse_eval(const char *text, double *result) {
    parser p;
    memset(&p, 0, sizeof p);
    p.at = text;
    if (setjmp(p.failed)) return p.error;
    *result = sum(&p);
    if (peek(&p)) fail(&p, PARSE_SYNTAX, "what is \"%s\"?\n", p.at);
    return PARSE_OK;
}
