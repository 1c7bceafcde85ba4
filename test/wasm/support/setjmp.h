// Nothing: cmocka.h here does not jump.
