class TensorTrace extends Trace {}
