"""Which networks of the zoo stand for what in the report."""

PLAIN = ("plain20-cifar", "plain56-cifar", "plain110-cifar")
RESIDUAL = ("resnet20-cifar", "resnet56-cifar", "resnet110-cifar")
FLOW = (*PLAIN, *RESIDUAL)
PATHS = ("plain20-cifar", "resnet110-cifar", "preact-resnet110-cifar", "fractalnet20-cifar")

# Those of Canziani et al., arXiv:1605.07678, that the zoo has; theirs without ENet.
CANZIANI = (
    *("alexnet", "alexnet-bn", "nin-bn", "googlenet", "vgg16", "vgg19"),
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("inception-v3", "inception-v4"),
)
EFFECTIVE = CANZIANI

RECURRENT = ("rnn", "lstm", "gru")
STEPS = 50
