#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

struct node *list_push(struct node *head, int key) {
    struct node *n = malloc(sizeof *n);
    if (!n) {
        perror("list");
        exit(1);
    }
    n->next = head;
    n->key = key;
    snprintf(n->name, sizeof n->name, "node %d/%x", key, (unsigned)key);
    return n;
}

static bool before(const struct node *a, const struct node *b) {
    return a->key != b->key ? a->key < b->key : strcmp(a->name, b->name) < 0;
}

static struct node *merge(struct node *a, struct node *b) {
    struct node first = {0}, *last = &first;
    while (a && b) {
        struct node **from = before(b, a) ? &b : &a;
        last->next = *from;
        last = *from;
        *from = (*from)->next;
    }
    last->next = a ? a : b;
    return first.next;
}

struct node *list_sort(struct node *head) {
    if (!head || !head->next) return head;
    struct node *slow = head;
    for (struct node *fast = head->next; fast && fast->next; fast = fast->next->next) slow = slow->next;
    struct node *half = slow->next;
    slow->next = NULL;
    return merge(list_sort(head), list_sort(half));
}

size_t list_length(const struct node *head) {
    size_t n = 0;
    for (; head; head = head->next) n++;
    return n;
}

void list_free(struct node *head) {
    while (head) {
        struct node *next = head->next;
        free(head);
        head = next;
    }
}
