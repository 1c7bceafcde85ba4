// Reference evaluator. Depends on ir/ops.h; everything outside the block goes through struct
// ir_env.
#include "ir/eval.h"

#include <assert.h>

struct eval {
    const struct ir_block *b;
    const struct ir_env *env;
    union ir_value val[IR_BLOCK_CAP];
    u64 pc;   // of the instruction being executed
    u32 done; // instructions completed before it
};

static bool load_op(struct eval *e, const struct ir_insn *o, union ir_value *r) {
    u64 va = e->val[o->a].i64 + o->imm;
    unsigned n = ir_access_bytes((enum ir_op)o->op);
    bool for_write =
        o->op == IR_LDW8 || o->op == IR_LDW16 || o->op == IR_LDW32 || o->op == IR_LDW64;
    u64 m[2] = {0, 0};
    if (!e->env->load(e->env->arg, va, n > 8 ? 8 : n, for_write, &m[0])) return false;
    if (n == 16) {
        if (!e->env->load(e->env->arg, va + 8, 8, false, &m[1])) return false;
        r->v = (v128){m[0], m[1]};
        return true;
    }
    r->i64 = ir_load_extend((enum ir_op)o->op, m[0]);
    return true;
}

static bool store_op(struct eval *e, const struct ir_insn *o) {
    u64 va = e->val[o->a].i64 + o->imm;
    unsigned n = ir_access_bytes((enum ir_op)o->op);
    if (n < 16) return e->env->store(e->env->arg, va, n, e->val[o->b].i64);
    // Both halves must be writable before either is written.
    u64 old;
    v128 v = e->val[o->b].v;
    return e->env->load(e->env->arg, va, 8, true, &old) &&
           e->env->load(e->env->arg, va + 8, 8, true, &old) &&
           e->env->store(e->env->arg, va, 8, v[0]) && e->env->store(e->env->arg, va + 8, 8, v[1]);
}

static bool vcall_op(const struct eval *e, const struct ir_insn *o, union ir_value *r) {
    const v128 zero = {0, 0};
    v128 x[3] = {o->a ? e->val[o->a].v : zero, o->b ? e->val[o->b].v : zero,
                 o->c ? e->val[o->c].v : zero};
    u64 unused;
    if (!e->env->call(e->env->arg, o->aux, (u64)(uintptr_t)x, 0, 0, o->imm, &unused)) return false;
    r->v = x[0];
    return true;
}

// One operation with effects; false: a guest exception.
static bool effect_op(struct eval *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    const struct ir_env *env = e->env;
    union ir_value *r = &e->val[i];
    switch (o->op) {
    case IR_CONST32:
        r->i32 = (u32)o->imm;
        return true;
    case IR_CONST64:
        r->i64 = o->imm;
        return true;
    case IR_PCREL:
        r->i64 = env->page + o->imm;
        return true;
    case IR_GET:
        memcpy(&r->i64, env->state + o->imm, 8);
        return true;
    case IR_SET:
        memcpy(env->state + o->imm, &e->val[o->a].i64, 8);
        return true;
    case IR_GETV:
        memcpy(&r->v, env->state + o->imm, 16);
        return true;
    case IR_SETV:
        memcpy(env->state + o->imm, &e->val[o->a].v, 16);
        return true;
    case IR_INSN:
        if (e->pc != ~(u64)0) e->done++;
        e->pc = env->page + o->imm;
        return true;
    case IR_TRAPIF:
        if (!e->val[o->a].i32) return true;
        env->at(env->arg, e->pc, e->done);
        env->trap(env->arg, o->imm, e->val[o->b].i64);
        return false;
    case IR_CALL:
        env->at(env->arg, e->pc, e->done);
        return env->call(env->arg, o->aux, o->a ? e->val[o->a].i64 : 0, o->b ? e->val[o->b].i64 : 0,
                         o->c ? e->val[o->c].i64 : 0, o->imm, &r->i64);
    case IR_VCALL:
        env->at(env->arg, e->pc, e->done);
        return vcall_op(e, o, r);
    default:
        assert(ir_access_bytes((enum ir_op)o->op) && "an operation the evaluator does not know");
        env->at(env->arg, e->pc, e->done);
        return ir_ops[o->op].result ? load_op(e, o, r) : store_op(e, o);
    }
}

struct ir_exit ir_eval(const struct ir_block *b, const struct ir_env *env) {
    struct eval e; // values are set before they are used
    e.b = b, e.env = env, e.pc = ~(u64)0, e.done = 0;
    e.val[0] = (union ir_value){0};
    for (u32 i = 1; i < b->n; i++) {
        const struct ir_insn *o = &b->ops[i];
        const union ir_value imm = {.i64 = o->imm}, *c = o->c ? &e.val[o->c] : &imm;
        if (ir_apply((enum ir_op)o->op, &e.val[i], &e.val[o->a], &e.val[o->b], c)) continue;
        u32 all = b->ninsns;
        switch (o->op) {
        case IR_JUMP:
            return (struct ir_exit){IR_EXIT_JUMP, env->page + o->imm, all};
        case IR_BRANCH:
            return (struct ir_exit){
                IR_EXIT_JUMP, env->page + (e.val[o->a].i32 ? o->imm : (u64)(i64)(i32)o->aux), all};
        case IR_JUMPIND:
            return (struct ir_exit){IR_EXIT_JUMP, e.val[o->a].i64, all};
        case IR_LEAVE:
            return (struct ir_exit){IR_EXIT_LEAVE, 0, all};
        default:
            break;
        }
        if (!effect_op(&e, i)) return (struct ir_exit){IR_EXIT_FAULT, 0, e.done};
    }
    assert(0 && "a block without an exit");
    return (struct ir_exit){IR_EXIT_LEAVE, 0, 0};
}
