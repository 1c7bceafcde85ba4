// Starts and ends; see fork-exec.c.
int main(void) { return 7; }
