#ifndef TOOL_H
#define TOOL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct node {
    struct node *next;
    int key;
    char name[24];
};

struct node *list_push(struct node *head, int key);
struct node *list_sort(struct node *head);
size_t list_length(const struct node *head);
void list_free(struct node *head);

void words_count(FILE *in, FILE *out, unsigned most);

enum parse_error { PARSE_OK, PARSE_SYNTAX, PARSE_ZERO };
enum parse_error parse_eval(const char *text, double *result);

double matrix_residual(unsigned n);
#endif
