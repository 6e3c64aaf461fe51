# Programs that an operator adds to this host.
PATH=$PATH:/opt/bin
