"""What the counts of every table count, in the words that stand below it."""

CONVENTION = (
    "1 MAC = one multiply and one add of a convolution, linear layer, matrix product, attention "
    "or recurrent cell; biases are not MACs. FLOPs = 2 per MAC, plus bias, normalisation, "
    "activation, pooling, softmax and elementwise operations. Activations are the elements that "
    "a layer's output occupies anew: in-place layers and views make none."
)
