// The checker that runs inside the pipeline: a block that passes can be executed by any engine.
#include "ir/ops.h"

static int check_operand(const struct ir_block *b, u32 at, unsigned i, ir_ref r, struct err *err) {
    const struct ir_insn *o = &b->ops[at];
    enum ir_type want = ir_operand_type((enum ir_op)o->op, i);
    bool optional = o->op == IR_CALL || o->op == IR_VCALL;
    if (!r && optional) return 0;
    bool wanted = i < ir_ops[o->op].noperands || optional;
    if (!wanted)
        return r ? err_set(err, ERR_INVALID, "%%%u: %s has an operand too many", at,
                           ir_ops[o->op].text)
                 : 0;
    if (!r || r >= at)
        return err_set(err, ERR_INVALID, "%%%u: operand %u of %s is not defined before it", at, i,
                       ir_ops[o->op].text);
    if (ir_type_of(b, r) != want)
        return err_set(err, ERR_INVALID, "%%%u: operand %u of %s has the wrong type", at, i,
                       ir_ops[o->op].text);
    return 0;
}

static int check_op(const struct ir_block *b, u32 at, struct err *err) {
    const struct ir_insn *o = &b->ops[at];
    if (o->op == IR_OP_INVALID || o->op >= IR_OP_COUNT)
        return err_set(err, ERR_INVALID, "%%%u: no such operation", at);
    const ir_ref refs[3] = {o->a, o->b, o->c};
    for (unsigned i = 0; i < 3; i++) {
        int rc = check_operand(b, at, i, refs[i], err);
        if (rc) return rc;
    }
    bool cell = o->op == IR_GET || o->op == IR_SET;
    bool vcell = o->op == IR_GETV || o->op == IR_SETV;
    if ((cell && o->imm % 8) || (vcell && o->imm % 16) || ((cell || vcell) && o->imm >= 65536))
        return err_set(err, ERR_INVALID, "%%%u: bad state cell %llu", at,
                       (unsigned long long)o->imm);
    if ((o->op == IR_CALL || o->op == IR_VCALL) && o->aux >= b->nhelpers)
        return err_set(err, ERR_INVALID, "%%%u: no helper %u", at, o->aux);
    if (o->op == IR_VCALL && (b->helper_effects[o->aux] || o->imm >> 32))
        return err_set(err, ERR_INVALID, "%%%u: a helper for vectors has no effects", at);
    if (ir_access_bytes((enum ir_op)o->op) && (i64)o->imm != (i32)o->imm)
        return err_set(err, ERR_INVALID, "%%%u: displacement does not fit 32 bits", at);
    return 0;
}

int ir_verify(const struct ir_block *b, struct err *err) {
    if (b->n < 2 || b->n > IR_BLOCK_CAP) return err_set(err, ERR_INVALID, "an empty block");
    bool needs_leave = false;
    for (u32 i = 1; i < b->n; i++) {
        int rc = check_op(b, i, err);
        if (rc) return rc;
        const struct ir_insn *o = &b->ops[i];
        bool last = i + 1 == b->n;
        bool ends = ir_ops[o->op].effects & IR_ENDS;
        if (ends != last)
            return err_set(err, ERR_INVALID, "%%%u: %s", i,
                           ends ? "operations after the exit" : "the block has no exit");
        if (needs_leave && ends && o->op != IR_LEAVE)
            return err_set(err, ERR_INVALID,
                           "%%%u: a helper changed the mode, only leave may follow", i);
        if (o->op == IR_CALL && b->helper_effects[o->aux] & HELPER_MODE) needs_leave = true;
    }
    return 0;
}
