//! The product on virtual machines, where version 2 of cgroups is real and a power cut loses what was not synced. Everything
//! takes long there unless the processor helps, so what a container can show is not shown here.

mod fixture;
