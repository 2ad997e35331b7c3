"""The networks from which latency is learned, by family; what is alike is in one family.

A family is left out as a whole when the prediction is tested, so a builder of torchvision is in the
family of the zoo's architecture that it repeats, and what differs in width alone is one family.
"""

from __future__ import annotations

NETWORKS = {
    "alexnet": ("alexnet", "alexnet-owt", "alexnet-bn", "zfnet"),
    "nin": ("nin", "nin-bn"),
    "vgg": ("vgg11", "vgg13", "vgg16", "vgg19", "torchvision:vgg11_bn", "torchvision:vgg16_bn"),
    "inception": (
        "googlenet",
        "inception-bn",
        "inception-v3",
        "inception-v4",
        "inception-resnet-v1",
        "inception-resnet-v2",
    ),
    "resnet": (
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "resnet50-v1",
        "plain18",
        "plain34",
        "torchvision:resnext50_32x4d",
        "torchvision:wide_resnet50_2",
    ),
    "resnet-cifar": (
        "resnet20-cifar",
        "resnet56-cifar",
        "resnet110-cifar",
        "plain20-cifar",
        "plain56-cifar",
        "preact-resnet110-cifar",
        "preact-resnet164-cifar",
    ),
    "fractalnet": ("fractalnet20-cifar", "fractalnet40-cifar"),
    "recurrent": (
        "rnn",
        "lstm",
        "gru",
        "char-rnn",
        "char-rnn-512",
        "char-rnn-vanilla",
        "char-rnn-gru",
    ),
    "densenet": (
        "torchvision:densenet121",
        "torchvision:densenet161",
        "torchvision:densenet201",
    ),
    "mobilenet": (
        "torchvision:mobilenet_v2",
        "torchvision:mobilenet_v3_small",
        "torchvision:mobilenet_v3_large",
        "torchvision:mnasnet0_5",
        "torchvision:mnasnet1_0",
    ),
    "efficientnet": (
        "torchvision:efficientnet_b0",
        "torchvision:efficientnet_b2",
        "torchvision:efficientnet_b4",
        "torchvision:efficientnet_v2_s",
    ),
    "shufflenet": (
        "torchvision:shufflenet_v2_x0_5",
        "torchvision:shufflenet_v2_x1_0",
        "torchvision:shufflenet_v2_x2_0",
    ),
    "squeezenet": ("torchvision:squeezenet1_0", "torchvision:squeezenet1_1"),
    "regnet": (
        "torchvision:regnet_x_400mf",
        "torchvision:regnet_x_1_6gf",
        "torchvision:regnet_x_8gf",
        "torchvision:regnet_y_400mf",
        "torchvision:regnet_y_3_2gf",
    ),
    "convnext": ("torchvision:convnext_tiny", "torchvision:convnext_small"),
    "vision-transformer": ("torchvision:vit_b_16", "torchvision:vit_b_32"),
    "swin": ("torchvision:swin_t", "torchvision:swin_s", "torchvision:swin_v2_t"),
    "maxvit": ("torchvision:maxvit_t",),
}

# Of timm, chosen for being unlike the above before any was predicted; they have no part in the fit,
# nor in any choice of the model's form.
UNSEEN = (
    "timm:mixer_b16_224",
    "timm:resnest50d",
    "timm:ghostnet_100",
    "timm:deit_tiny_patch16_224",
    "timm:hrnet_w18_small",
    "timm:dla34",
    "timm:convmixer_768_32",
    "timm:repvgg_a2",
    "timm:xception41",
    "timm:poolformer_s12",
    "timm:tf_efficientnet_lite0",
    "timm:cspdarknet53",
)
UNSEEN_FAMILY = "unseen"
