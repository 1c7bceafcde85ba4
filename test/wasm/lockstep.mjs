// The translator in lock step (support/lockstep.mjs): riscv64, and the saved cases of both guests.
import { linux, randomPrograms, savedCases } from './support/lockstep.mjs';

randomPrograms('riscv64');
savedCases();
linux('riscv64');
