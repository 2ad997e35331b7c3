"""archscope beside its peers: what each counts (`conformance`) and what that costs (`peers`)."""
