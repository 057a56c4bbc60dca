"""A beating parametric heart, its standard planes, and how an ultrasound scanner sees it: data whose truth is known.

Lengths are millimetres. The frame of reference is the left ventricle's at end-diastole: the origin is the centre of its
base, +z points to the apex, +x to the free wall (the right ventricle lies at -x), +y to the anterior wall. Phase 0 is
end-diastole. Nothing made here shows a patient, and whatever is computed on it is to be called phantom.
"""
