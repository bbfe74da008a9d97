"""Specs: written, ready, recognised, traced."""

import rebasin_fast as rf
from calls.judgement import TEXTS, Call
from calls.shared import INPUTS, SPEC, A, model
from rebasin_fast import axis, specs

NAMES = {"layers": ["fc1", "fc2"]}
CHAIN = {"convolutions": ["c1", "c2"], "norms": ["n1", "n2"], "classifier": ["fc"]}

CALLS = [
    Call(
        rf.PermutationSpec,
        lambda: {"axes": {"w": ("P", None)}, "unmatched": (), "sizes": None},
        {"axes": {"dict"}, "sizes": {"dict"}},
    ),
    Call(
        specs.RecognisedSpec,
        lambda: {"axes": {"w": ("P", None)}, "unmatched": (), "sizes": None, "family": "mlp", "ties": None},
        {"axes": {"dict"}, "sizes": {"dict"}},
    ),
    *(
        Call(function, lambda: {"params": A}, {"params": {"dict", "dict of numbers"}}, lambda: SPEC)
        for function in (rf.PermutationSpec.sizes, rf.PermutationSpec.log10_symmetries, rf.PermutationSpec.validate)
    ),
    Call(
        rf.PermutationSpec.verify,
        lambda: {"model": model(), "example_inputs": INPUTS, "rng": 0},
        instance=lambda: SPEC,
    ),
    Call(
        specs.RecognisedSpec.verify,
        lambda: {"model": model(), "example_inputs": INPUTS, "rng": 0},
        instance=lambda: specs.for_params(A),
    ),
    Call(rf.PermutationSpec.with_prefix, lambda: {"prefix": "module."}, instance=lambda: SPEC),
    Call(rf.PermutationSpec.renamed, lambda: {"names": {"fc1.bias": "b"}}, instance=lambda: SPEC),
    Call(rf.TracedSpec.renamed, lambda: {"names": {"w": "b"}}, instance=lambda: rf.TracedSpec({"w": ("P",)})),
    Call(rf.PermutationSpec.from_json, lambda: {"text": SPEC.to_json()}),
    Call(specs.mlp, lambda: {**NAMES, "bias": True, "layout": "torch", "norm": "batch", "norms": ["n"]}),
    Call(
        specs.cnn,
        lambda: {**CHAIN, "positions": 4, "bias": True, "spatial": 2, "norm": "batch", "norm_groups": 1},
    ),
    Call(specs.cnn, lambda: {**CHAIN, "bias": ["fc"], "transposed": ["c1"], "layout": "torch"}),
    Call(specs.vgg, lambda: {**CHAIN, "positions": 4, "norm": "batch", "norm_groups": 1}),
    *(
        Call(function, lambda: {"form": "cifar", "batch_norm": True})
        for function in (specs.vgg11, specs.vgg13, specs.vgg16, specs.vgg19)
    ),
    Call(
        specs.resnet,
        lambda: {"blocks": [1, 1], "block": "basic", "shortcuts": [None, "downsample"], "head": "fc"},
    ),
    Call(
        specs.resnet,
        lambda: {"blocks": [1], "shortcuts": [None], "norm": "batch", "norm_groups": 1, "norm_name": "bn"},
    ),
    Call(
        specs.cifar_resnet,
        lambda: {"depth": 20, "shortcut": "A", "width": 16, "head": "linear", "projection": "shortcut"},
    ),
    Call(
        specs.resnext,
        lambda: {"blocks": [1, 1], "groups": 4, "shortcuts": None, "head": "fc", "norm": "batch", "norm_name": "bn"},
    ),
    Call(specs.densenet, lambda: {"blocks": [2, 2], "dotted": False}),
    Call(specs.vit, lambda: {"layers": 1, "heads": 2, "layout": "torchvision"}),
    Call(
        specs.gpt2,
        lambda: {"layers": 1, "heads": 2, "prefix": "t.", "lm_head": True, "tied": True, "masks": False},
    ),
    Call(
        specs.multihead_attention,
        lambda: {"heads": 2, "name": "a", "separate": False, "bias": True, "bias_kv": False},
    ),
    Call(
        specs.recurrent,
        lambda: {"kind": "lstm", "layers": 1, "name": "rnn", "heads": ["fc"], "embedding": "e", "before": ["a"]},
    ),
    Call(
        specs.recurrent,
        lambda: {"kind": "lstm", "bidirectional": False, "projected": False, "bias": True, "head_bias": True},
    ),
    Call(specs.for_params, lambda: {"params": A, "heads": 2, "norm_groups": 1, "layers": ["fc1", "fc2"]}),
    Call(
        rf.trace_spec,
        lambda: {"model": model(), "example_inputs": INPUTS, "residual": False, "freeze": (), "select": None},
    ),
    Call(
        rf.trace_spec,
        lambda: {"model": model(), "example_inputs": INPUTS, "verify": True, "rng": 0, "strict": False},
    ),
    Call(axis.Fixed, lambda: {"length": 2}),
    Call(axis.Joined, lambda: {"inner": "P"}),
    Call(axis.Product, lambda: {"outer": "P", "inner": "Q"}),
    Call(axis.Slice, lambda: {"permutation": "P", "start": 0, "stop": 2}),
    Call(axis.blocks, lambda: {"entry": "P", "length": 2}),
    Call(axis.check_entry, lambda: {"entry": "P"}, {"entry": {"None", *TEXTS}}),
    Call(axis.merge_joined, lambda: {"entries": ["P"]}),
    Call(axis.permutations_of, lambda: {"entry": "P"}),
    Call(axis.tiled, lambda: {"entry": "P", "times": 2}),
    Call(rf.tracing.register_rule, lambda: {"target": "aten.nothing_such", "rule": None}),
]  # fmt: skip
