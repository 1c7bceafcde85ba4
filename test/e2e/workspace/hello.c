#include <stdio.h>

int main(void) {
    puts("Hello from a container in your browser");
    return 0;
}
